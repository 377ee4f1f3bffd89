-- One row per product and day to come of the published replenishment plan, or one row that says why there is none.
with

forecasts as (

    select * from {{ source('ml', 'demand_forecasts') }}
    where run_id = {{ published_run('replenishment') }}

),

unavailable as (

    {{ unavailable('replenishment', 'demand_forecasts') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('replenishment') }}

),

-- Without either there is no published plan; with a reason there is one row of it.
answered as (

    select
        runs.run_id,
        runs.as_of,
        unavailable.unavailable_reason
    from runs
    left join unavailable on true

),

shown as (

    select
        forecasts.product_id,
        products.title,
        products.category,
        forecasts.forecast_on,
        forecasts.base_units,
        forecasts.bundle_units,
        forecasts.base_units + forecasts.bundle_units as expected_units,
        forecasts.q10_units,
        forecasts.q50_units,
        forecasts.q90_units,
        forecasts.model,
        answered.unavailable_reason,
        answered.run_id,
        answered.as_of
    from answered
    left join forecasts on answered.run_id = forecasts.run_id
    left join products on forecasts.product_id = products.product_id
    where forecasts.product_id is not null or answered.unavailable_reason is not null

)

select * from shown
