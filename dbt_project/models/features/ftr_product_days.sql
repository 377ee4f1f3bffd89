-- One row per as-of day, product and day on which it sold: units, money, price and whether it was promoted.
{{ config(indexes=[{'columns': ['as_of', 'product_id', 'sold_on'], 'unique': true}]) }}

with

basket_products as (

    select * from {{ ref('int_basket_products_netted') }}
    where as_of = {{ as_of() }}

),

promotions as (

    select * from {{ ref('int_promotions_merged') }}

),

summed as (

    select
        product_id,
        basket_on as sold_on,
        sum(units)::bigint as units,
        sum(paid_cents)::bigint as revenue_cents,
        sum(discount_cents)::bigint as discount_cents
    from basket_products
    group by product_id, basket_on

),

flagged as (

    select
        {{ as_of() }} as as_of,
        summed.product_id,
        summed.sold_on,
        summed.units,
        summed.revenue_cents,
        summed.discount_cents,
        round((summed.revenue_cents + summed.discount_cents) / summed.units::float8)::int as price_cents,
        coalesce(promotions.promoted_days @> summed.sold_on, false) as is_promoted
    from summed
    left join promotions on summed.product_id = promotions.product_id

)

select * from flagged
