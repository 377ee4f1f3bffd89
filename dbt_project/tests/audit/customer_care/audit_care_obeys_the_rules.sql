-- Due products and suggested bundles that a rule in force forbids, or whose list price lies below its floor.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

offered as (

    select product_id
    from {{ source('ml', 'due_repurchases') }}
    where run_id = {{ audited_run() }}

    union

    select items.product_id
    from {{ source('ml', 'customer_cards') }} as cards
    inner join {{ source('ml', 'bundle_items') }} as items on cards.suggested_bundle_id = items.bundle_id
    where cards.run_id = {{ audited_run() }}

),

rules as (

    select * from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }} and is_applied

)

select
    products.product_id,
    rules.rule_id,
    rules.kind
from offered
inner join {{ ref('ftr_products') }} as products
    on offered.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
inner join rules
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
