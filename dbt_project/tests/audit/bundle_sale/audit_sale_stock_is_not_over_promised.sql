-- Bundles of the sale that are expected to sell more than the stock of a product less the reserve.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    prices.bundle_key,
    items.product_id,
    prices.units_at_price,
    products.available_units
from {{ source('ml', 'bundle_prices') }} as prices
inner join {{ source('ml', 'bundle_price_items') }} as items
    on prices.run_id = items.run_id and prices.bundle_key = items.bundle_key
inner join {{ ref('ftr_products') }} as products
    on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    prices.run_id = {{ audited_run() }}
    and products.available_units is not null
    and prices.units_at_price
    > greatest(products.available_units - ({{ audited_param('reserve_units') }})::int, 0) + 0.000001
