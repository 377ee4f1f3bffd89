-- Products that more bundles hold than the run itself says may.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promised as (

    {{ counted_promises() }}

)

select
    stock.product_id,
    stock.capacity_units,
    promised.units as promised_units
from {{ source('ml', 'shadow_prices') }} as stock
inner join promised on stock.product_id = promised.product_id
where stock.run_id = {{ audited_run() }} and promised.units > stock.capacity_units
