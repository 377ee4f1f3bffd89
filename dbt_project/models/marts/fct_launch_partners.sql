-- One row per new product in the published plan and product it is shown with. Where nothing is new, one row says so.
with

partners as (

    select * from {{ source('ml', 'launch_partners') }}
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
        partners.product_id,
        new_products.title,
        partners.partner_rank,
        partners.partner_id,
        products.title as partner_title,
        products.category as partner_category,
        partners.association,
        partners.association_low,
        partners.association_high,
        partners.evidence,
        partners.pair_baskets,
        partners.basket_share,
        partners.expected_share,
        partners.reason,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of
    from runs
    left join lacking on true
    left join partners on lacking.unavailable_reason is null
    left join products as new_products on partners.product_id = new_products.product_id
    left join products on partners.partner_id = products.product_id
    where partners.product_id is not null or lacking.unavailable_reason is not null

)

select * from shown
