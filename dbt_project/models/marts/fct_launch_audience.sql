-- One row per new product in the published plan and customer who is shown it. Where nothing is new, one row says so.
with

audience as (

    select * from {{ source('ml', 'launch_audience') }}
    where run_id = {{ published_run('launch') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

lacking as (

    {{ unavailable('launch', 'launches') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('launch') }}

),

shown as (

    select
        audience.product_id,
        products.title,
        audience.customer_id,
        audience.audience_rank,
        audience.interest,
        audience.expected_probability,
        audience.reason,
        audience.is_exploration,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of
    from runs
    left join lacking on true
    left join audience on lacking.unavailable_reason is null
    left join products on audience.product_id = products.product_id
    where audience.product_id is not null or lacking.unavailable_reason is not null

)

select * from shown
