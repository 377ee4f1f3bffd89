-- One row per as-of day and pair of products bought together often enough: support, lift and its 95 % interval.
{{ config(indexes=[{'columns': ['as_of', 'product_a', 'product_b'], 'unique': true}]) }}

with

baskets as (

    select
        customer_id,
        product_ids,
        row_number() over () as basket_number
    from {{ ref('ftr_baskets') }}
    where as_of = {{ as_of() }} and not is_giant

),

totals as (

    select count(*)::int as baskets_total
    from baskets

),

-- Numbers instead of texts, because millions of pairs are counted next.
frequent_products as (

    select
        opened.product_id,
        count(*)::int as baskets,
        row_number() over (order by opened.product_id collate "C")::int as product_number -- noqa: RF03
    from baskets
    cross join lateral unnest(baskets.product_ids) as opened (product_id)
    group by opened.product_id
    having count(*) >= {{ threshold('min_product_baskets') }}

),

known_customers as (

    select
        customer_id,
        row_number() over ()::int as customer_number
    from baskets
    where customer_id is not null
    group by customer_id

),

entries as (

    select
        baskets.basket_number,
        known_customers.customer_number,
        frequent_products.product_number
    from baskets
    cross join lateral unnest(baskets.product_ids) as opened (product_id)
    inner join frequent_products on opened.product_id = frequent_products.product_id
    left join known_customers on baskets.customer_id = known_customers.customer_id

),

counted_by_customer as (

    select
        entries_a.product_number as number_a,
        entries_b.product_number as number_b,
        entries_a.customer_number,
        count(*)::int as pair_baskets
    from entries as entries_a
    inner join entries as entries_b
        on entries_a.basket_number = entries_b.basket_number and entries_a.product_number < entries_b.product_number
    group by entries_a.product_number, entries_b.product_number, entries_a.customer_number

),

counted as (

    select
        number_a,
        number_b,
        sum(pair_baskets)::int as pair_baskets,
        count(customer_number)::int as pair_customers
    from counted_by_customer
    group by number_a, number_b
    having sum(pair_baskets) >= {{ threshold('min_pair_baskets') }}

),

named as (

    select
        products_a.product_id as product_a,
        products_b.product_id as product_b,
        counted.pair_baskets,
        products_a.baskets as baskets_a,
        products_b.baskets as baskets_b,
        totals.baskets_total,
        counted.pair_customers
    from counted
    inner join frequent_products as products_a on counted.number_a = products_a.product_number
    inner join frequent_products as products_b on counted.number_b = products_b.product_number
    cross join totals

),

-- The standard error of the log of the lift by the delta method on the four cells of the basket table.
measured as (

    select
        *,
        pair_baskets * baskets_total::float8 / (baskets_a * baskets_b::float8) as lift,
        sqrt(greatest(
            1.0::float8 / pair_baskets - 1.0::float8 / baskets_a - 1.0::float8 / baskets_b
            + 2.0::float8 * pair_baskets / (baskets_a * baskets_b::float8) - 1.0::float8 / baskets_total,
            0
        )) as log_lift_error
    from named

),

bounded as (

    select
        {{ as_of() }} as as_of,
        product_a,
        product_b,
        pair_baskets,
        baskets_a,
        baskets_b,
        baskets_total,
        pair_baskets / baskets_total::float8 as support,
        lift,
        lift * exp(-1.959964 * log_lift_error) as lift_low,
        lift * exp(1.959964 * log_lift_error) as lift_high,
        pair_customers
    from measured

)

select * from bounded
