-- Items without a unit to sell on the as-of day.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    items.bundle_id,
    items.product_id,
    products.available_units
from {{ source('ml', 'bundle_items') }} as items
inner join {{ ref('ftr_products') }} as products
    on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where items.run_id = {{ audited_run() }} and products.available_units < 1
