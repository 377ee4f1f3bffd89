-- Products with demand that have no forecast, or no line while the run has stock to reckon with; and lines of products
-- without a forecast. Nothing is asked of a result that the run says it could not make.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

asked as (

    select product_id
    from {{ ref('ftr_products') }}
    where
        as_of = {{ audited_as_of() }}
        and is_bundleable
        and (baskets >= {{ threshold('min_product_baskets') }} or launched_on > {{ audited_as_of() }} - 28)

),

forecasts as (

    select distinct product_id
    from {{ source('ml', 'demand_forecasts') }}
    where run_id = {{ audited_run() }}

),

lines as (

    select product_id
    from {{ source('ml', 'replenishment') }}
    where run_id = {{ audited_run() }}

),

lacking as (

    select coalesce(array_agg(result), '{}') as results
    from {{ source('ml', 'unavailable') }}
    where run_id = {{ audited_run() }}

),

unanswered as (

    select
        asked.product_id,
        'no forecast' as fault
    from asked
    cross join lacking
    left join forecasts on asked.product_id = forecasts.product_id
    where forecasts.product_id is null and not 'demand_forecasts' = any(lacking.results)

    union all

    select
        forecasts.product_id,
        'no line' as fault
    from forecasts
    cross join lacking
    left join lines on forecasts.product_id = lines.product_id
    where lines.product_id is null and not 'replenishment' = any(lacking.results)

    union all

    select
        lines.product_id,
        'no forecast of a line' as fault
    from lines
    left join forecasts on lines.product_id = forecasts.product_id
    where forecasts.product_id is null

)

select * from unanswered
