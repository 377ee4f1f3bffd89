-- One row per product of the published bundle sale: how much its units follow its price.
with

elasticities as (

    select * from {{ source('ml', 'elasticities') }}
    where run_id = {{ published_run('bundle_sale') }}

),

unavailable as (

    {{ unavailable('bundle_sale', 'elasticities') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('bundle_sale') }}

),

shown as (

    select
        elasticities.product_id,
        products.title,
        products.category,
        elasticities.elasticity,
        elasticities.low as elasticity_low,
        elasticities.high as elasticity_high,
        elasticities.level as elasticity_level,
        elasticities.weeks,
        elasticities.own_estimate,
        unavailable.unavailable_reason,
        runs.run_id,
        runs.as_of
    from elasticities
    full join unavailable on false
    cross join runs
    left join products on elasticities.product_id = products.product_id

)

select * from shown
