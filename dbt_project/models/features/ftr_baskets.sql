-- One row per as-of day and basket: a customer's day (or one order of an unknown customer) as a sequence element.
{{ config(indexes=[{'columns': ['as_of', 'basket_id'], 'unique': true}]) }}

with

basket_products as (

    select * from {{ ref('int_basket_products_netted') }}
    where as_of = {{ as_of() }}

),

gathered as (

    select
        basket_id,
        customer_id,
        basket_on,
        array_agg(product_id order by product_id collate "C") as product_ids,
        array_agg(units order by product_id collate "C") as quantities,
        array_agg(paid_cents order by product_id collate "C") as paid_cents,
        count(*)::int as basket_products
    from basket_products
    group by basket_id, customer_id, basket_on

),

numbered as (

    select
        {{ as_of() }} as as_of,
        basket_id,
        customer_id,
        basket_on,
        case
            when customer_id is not null
                then row_number() over (partition by customer_id order by basket_on)::int
        end as basket_number,
        product_ids,
        quantities,
        paid_cents,
        basket_products,
        basket_products > {{ var('max_basket_products') }} as is_giant
    from gathered

)

select * from numbered
