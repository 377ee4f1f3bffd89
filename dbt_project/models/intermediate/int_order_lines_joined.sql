-- One row per line of an order that was not cancelled, with its basket: a customer's day, or the order itself where
-- the customer is unknown. Returns keep their negative units. Holds for any day: readers cut at theirs.
with

orders as (

    select
        *,
        coalesce('c:' || customer_id || ':' || ordered_on, 'o:' || order_id) as basket_id
    from {{ ref('stg_raw__orders') }}
    where not is_cancelled

),

order_items as (

    select * from {{ ref('stg_raw__order_items') }}

),

joined as (

    select
        orders.order_id,
        order_items.line_number,
        orders.basket_id,
        orders.customer_id,
        orders.ordered_on,
        order_items.product_id,
        order_items.quantity_units,
        order_items.unit_price_cents,
        order_items.discount_cents,
        greatest(
            abs(order_items.quantity_units) * order_items.unit_price_cents::bigint - order_items.discount_cents, 0
        ) as paid_cents
    from orders
    inner join order_items on orders.order_id = order_items.order_id

)

select * from joined
