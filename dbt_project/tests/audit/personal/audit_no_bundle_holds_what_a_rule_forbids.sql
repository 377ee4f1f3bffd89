-- Products in a customer's bundle, or in one that is listed for everybody, that an obeyed rule keeps out: a veto, an
-- excluded category, or a floor that the list price does not reach.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

held as (

    select
        bundle_id as bundle_name,
        product_id
    from {{ source('ml', 'bundle_items') }}
    where run_id = {{ audited_run() }}
    union all
    select
        'listed ' || bundle_rank::text as bundle_name,
        unnest(product_ids) as product_id
    from {{ source('ml', 'catalogue_bundles') }}
    where run_id = {{ audited_run() }}

),

products as (

    select
        ftr.product_id,
        ftr.category,
        ftr.department,
        ftr.category_path,
        ftr.price_cents
    from {{ ref('ftr_products') }} as ftr
    inner join {{ source('ops', 'runs') }} as runs on ftr.as_of = runs.as_of
    where runs.run_id = {{ audited_run() }}

)

select
    held.bundle_name,
    held.product_id,
    rules.rule_id
from held
inner join products on held.product_id = products.product_id
inner join {{ source('ml', 'applied_rules') }} as rules
    on
        (rules.kind = 'veto' and products.product_id = rules.product_id)
        or (
            rules.kind = 'exclude_category'
            and rules.category in (products.category, products.department, products.category_path)
        )
        or (
            rules.kind = 'price_floor'
            and products.product_id = rules.product_id
            and products.price_cents < rules.floor_cents
        )
where rules.run_id = {{ audited_run() }} and rules.is_applied
