-- One row per as-of day and customer known by then, those without a basket included.
{{ config(indexes=[{'columns': ['as_of', 'customer_id'], 'unique': true}]) }}

with

customers as (

    select * from {{ ref('stg_raw__customers') }}
    where signed_up_on is null or signed_up_on <= {{ as_of() }}

),

baskets as (

    select
        customer_id,
        basket_id,
        min(basket_on) as basket_on,
        count(*) as basket_products,
        sum(paid_cents) as paid_cents
    from {{ ref('int_basket_products_netted') }}
    where as_of = {{ as_of() }} and customer_id is not null
    group by customer_id, basket_id

),

history as (

    select
        customer_id,
        count(*)::int as baskets,
        min(basket_on) as first_on,
        max(basket_on) as last_on,
        avg(basket_products)::float8 as mean_basket_products,
        avg(paid_cents)::float8 as mean_basket_cents
    from baskets
    group by customer_id

),

known as (

    select customer_id from customers
    union
    select customer_id from history

),

described as (

    select
        {{ as_of() }} as as_of,
        known.customer_id,
        coalesce(history.baskets, 0) as baskets,
        history.first_on,
        history.last_on,
        {{ as_of() }} - history.last_on as days_since_last,
        (history.last_on - history.first_on) / nullif(history.baskets - 1, 0)::float8 as mean_gap_days,
        history.mean_basket_products,
        history.mean_basket_cents,
        customers.age_band,
        customers.gender,
        customers.region,
        customers.income_band
    from known
    left join customers on known.customer_id = customers.customer_id
    left join history on known.customer_id = history.customer_id

)

select * from described
