-- One row per product of a bundle of the published sale: what is paid for it, which is what a return refunds.
with

items as (

    select * from {{ source('ml', 'bundle_price_items') }}
    where run_id = {{ published_run('bundle_sale') }}

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
        items.bundle_key,
        items.position,
        items.product_id,
        products.title,
        products.category,
        {{ decimal_money('items.list_price_cents') }} as list_price,
        {{ decimal_money('items.price_cents') }} as price_paid,
        {{ decimal_money('items.discount_cents') }} as discount,
        items.run_id,
        runs.as_of
    from items
    cross join runs
    left join products on items.product_id = products.product_id

)

select * from shown
