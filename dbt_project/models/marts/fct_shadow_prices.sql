-- One row per product whose stock the customers of the published run share: what is promised, and what a unit is worth.
with

prices as (

    select * from {{ source('ml', 'shadow_prices') }}
    where run_id = {{ published_run() }}

),

products as (

    select * from {{ ref('dim_products') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run() }}

),

shown as (

    select
        prices.product_id,
        products.title,
        products.brand,
        products.category,
        prices.available_units,
        prices.capacity_units,
        prices.promised_units,
        prices.expected_units,
        prices.promised_share,
        prices.expected_share,
        prices.shadow_price,
        prices.run_id,
        runs.as_of
    from prices
    cross join runs
    left join products on prices.product_id = products.product_id

)

select * from shown
