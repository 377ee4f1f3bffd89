-- Bundles that hold what a rule forbids or lack what it asks for, pins in no bundle, items below their price floor.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

rules as (

    select * from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }} and is_applied

),

items as (

    select
        items.*,
        products.category,
        products.department,
        products.category_path
    from {{ source('ml', 'bundle_price_items') }} as items
    left join {{ ref('ftr_products') }} as products
        on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
    where items.run_id = {{ audited_run() }}

),

wanted as (

    select product_id
    from rules
    where kind = 'must_include'

)

select
    rules.rule_id,
    items.bundle_key,
    items.product_id
from rules
inner join items on rules.product_id = items.product_id
where
    rules.kind = 'veto'
    or (rules.kind = 'price_floor' and items.price_cents < rules.floor_cents)
union all
select
    rules.rule_id,
    items.bundle_key,
    items.product_id
from rules
inner join items on rules.category in (items.category, items.department, items.category_path)
where rules.kind = 'exclude_category'
union all
select
    rules.rule_id,
    null as bundle_key,
    rules.product_id
from rules
where
    rules.kind = 'pin'
    and exists (select from items)
    and rules.product_id not in (select items.product_id from items)
union all
select
    'must_include' as rule_id,
    prices.bundle_key,
    null as product_id
from {{ source('ml', 'bundle_prices') }} as prices
where
    prices.run_id = {{ audited_run() }}
    and exists (select from wanted)
    and not exists (
        select from items
        inner join wanted on items.product_id = wanted.product_id
        where items.bundle_key = prices.bundle_key
    )
