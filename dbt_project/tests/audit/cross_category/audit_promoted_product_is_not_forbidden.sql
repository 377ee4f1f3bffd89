-- Promoted products that an obeyed veto or excluded category names, that sell below an obeyed price floor, or that
-- can stand in no offer.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promoted as (

    select * from {{ source('ml', 'promotion_products') }}
    where run_id = {{ audited_run() }}

),

rules as (

    select * from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }} and is_applied

),

products as (

    select * from {{ ref('ftr_products') }}
    where as_of = {{ audited_as_of() }}

)

select
    promoted.product_id,
    rules.rule_id
from promoted
left join products on promoted.product_id = products.product_id
left join rules
    on
        (rules.kind = 'veto' and promoted.product_id = rules.product_id)
        or (
            rules.kind = 'price_floor'
            and promoted.product_id = rules.product_id
            and promoted.promoted_price_cents < rules.floor_cents
        )
        or (
            rules.kind = 'exclude_category'
            and rules.category in (products.category, products.department, products.category_path)
        )
where rules.rule_id is not null or not coalesce(products.is_bundleable, false)
