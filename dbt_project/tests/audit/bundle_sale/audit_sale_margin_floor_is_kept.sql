-- Bundles below the margin floor, at a discount or not; discounts beyond the largest one, or that lose.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

costs as (

    select
        items.bundle_key,
        sum(coalesce(
            products.cost_cents,
            products.price_cents * ({{ audited_param('assumed_cost_share') }})::float8
        )) as cost_cents,
        bool_and(
            products.cost_cents is not null or {{ audited_param('assumed_cost_share') }} is not null
        ) as is_known
    from {{ source('ml', 'bundle_price_items') }} as items
    inner join {{ ref('ftr_products') }} as products
        on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
    where items.run_id = {{ audited_run() }}
    group by items.bundle_key

)

select
    prices.bundle_key,
    prices.bundle_price_cents,
    costs.cost_cents
from {{ source('ml', 'bundle_prices') }} as prices
left join costs on prices.bundle_key = costs.bundle_key
where
    prices.run_id = {{ audited_run() }}
    and (
        not coalesce(costs.is_known, false)
        or prices.bundle_price_cents - costs.cost_cents
        < prices.bundle_price_cents * ({{ audited_param('min_margin_share') }})::float8 - 0.01
        or prices.discount_share > ({{ audited_param('max_discount_share') }})::float8 + 0.000001
        or (prices.is_discounted and prices.expected_incremental_margin_cents <= 0)
    )
