-- Products whose stock is counted and that could be offered, of which a run that shares out stock says nothing, or
-- says other numbers than the features and the bundles do.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

counted as (

    select
        product_id,
        available_units,
        greatest(available_units - {{ audited_param('reserve_units') }}::bigint, 0) as free_units
    from {{ ref('ftr_products') }}
    where
        as_of = {{ audited_as_of() }}
        and available_units is not null
        and is_bundleable
        and price_cents > 0
        and baskets >= {{ threshold('min_product_baskets') }}
        and {{ audited_param('couples_stock') }}::boolean

),

promised as (

    {{ counted_promises() }}

),

told as (

    select * from {{ source('ml', 'shadow_prices') }}
    where run_id = {{ audited_run() }}

)

select
    counted.product_id,
    counted.available_units,
    counted.free_units,
    promised.units as promised_units,
    told.available_units as told_available_units,
    told.capacity_units as told_capacity_units,
    told.promised_units as told_promised_units
from counted
left join promised on counted.product_id = promised.product_id
left join told on counted.product_id = told.product_id
where
    told.product_id is null
    or told.available_units <> counted.available_units
    or told.promised_units <> coalesce(promised.units, 0)
    or ({{ audited_param('promise_quantile') }} is null and told.capacity_units > counted.free_units)
