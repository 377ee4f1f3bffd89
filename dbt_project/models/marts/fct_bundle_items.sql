-- One row per published bundle and position: the product, its price inside the bundle and who proposed it.
with

items as (

    select * from {{ source('ml', 'bundle_items') }}
    where run_id = {{ published_run() }}

),

bundles as (

    select * from {{ source('ml', 'bundles') }}
    where run_id = {{ published_run() }}

),

products as (

    select * from {{ ref('dim_products') }}

),

shown as (

    select
        items.bundle_id,
        items.position as item_position,
        bundles.customer_id,
        bundles.bundle_rank,
        items.product_id,
        products.title,
        products.brand,
        products.category,
        items.preference,
        {{ decimal_money('items.list_price_cents') }} as list_price,
        {{ decimal_money('items.price_cents') }} as price,
        items.sources as candidate_sources,
        items.run_id
    from items
    inner join bundles on items.bundle_id = bundles.bundle_id
    left join products on items.product_id = products.product_id

)

select * from shown
