-- One row per as-of day, customer and product the customer ever kept: how often, how lately, how regularly.
{{ config(indexes=[{'columns': ['as_of', 'customer_id', 'product_id'], 'unique': true}]) }}

with

basket_products as (

    select * from {{ ref('int_basket_products_netted') }}
    where as_of = {{ as_of() }} and customer_id is not null

),

customer_baskets as (

    select
        customer_id,
        count(distinct basket_id) as baskets
    from basket_products
    group by customer_id

),

counted as (

    select
        customer_id,
        product_id,
        count(*)::int as baskets,
        sum(units)::bigint as units,
        min(basket_on) as first_on,
        max(basket_on) as last_on
    from basket_products
    group by customer_id, product_id

),

related as (

    select
        {{ as_of() }} as as_of,
        counted.customer_id,
        counted.product_id,
        counted.baskets,
        counted.units,
        counted.first_on,
        counted.last_on,
        {{ as_of() }} - counted.last_on as days_since_last,
        counted.baskets / customer_baskets.baskets::float8 as basket_share,
        (counted.last_on - counted.first_on) / nullif(counted.baskets - 1, 0)::float8 as mean_gap_days
    from counted
    inner join customer_baskets on counted.customer_id = customer_baskets.customer_id

)

select * from related
