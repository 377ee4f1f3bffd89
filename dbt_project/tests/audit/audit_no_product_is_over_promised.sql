-- Products that more bundles offer than may, or that may be offered more often than there are units. The latter is
-- meant where the run promises by expected demand.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promised as (

    select
        items.product_id,
        count(*) as units
    from {{ source('ml', 'bundle_items') }} as items
    inner join {{ source('ml', 'bundles') }} as bundles
        on items.run_id = bundles.run_id and items.bundle_id = bundles.bundle_id
    where items.run_id = {{ audited_run() }} and bundles.status <> 'abstained'
    group by items.product_id

)

select
    stock.product_id,
    stock.available_units,
    stock.capacity_units,
    promised.units as promised_units
from {{ source('ml', 'shadow_prices') }} as stock
inner join {{ source('ops', 'runs') }} as runs on stock.run_id = runs.run_id
left join promised on stock.product_id = promised.product_id
where
    stock.run_id = {{ audited_run() }}
    and (
        promised.units > stock.capacity_units
        or (runs.params ->> 'promise_quantile' is null and stock.capacity_units > stock.available_units)
    )
