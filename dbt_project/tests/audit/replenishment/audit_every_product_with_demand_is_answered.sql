-- Products with demand that have no forecast; any that may be bundled and has no line while the run has stock to reckon
-- with; and lines without a forecast that do not say why. Nothing is asked of a result that the run says it could not
-- make.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

asked as (

    select
        product_id,
        baskets >= {{ threshold('min_product_baskets') }}
        or coalesce(launched_on > {{ audited_as_of() }} - 28, false) as has_demand
    from {{ ref('ftr_products') }}
    where as_of = {{ audited_as_of() }} and is_bundleable

),

forecasts as (

    select distinct product_id
    from {{ source('ml', 'demand_forecasts') }}
    where run_id = {{ audited_run() }}

),

lines as (

    select
        product_id,
        action
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
    where asked.has_demand and forecasts.product_id is null and not 'demand_forecasts' = any(lacking.results)

    union all

    select
        wanted.product_id,
        'no line' as fault
    from (
        select asked.product_id from asked
        union
        select forecasts.product_id from forecasts
    ) as wanted
    cross join lacking
    left join lines on wanted.product_id = lines.product_id
    where lines.product_id is null and not 'replenishment' = any(lacking.results)

    union all

    select
        lines.product_id,
        'no forecast of a line' as fault
    from lines
    left join forecasts on lines.product_id = forecasts.product_id
    where (forecasts.product_id is null) <> (lines.action = 'too_few_sales')

)

select * from unanswered
