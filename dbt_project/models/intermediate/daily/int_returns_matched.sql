-- One row per as-of day, basket and product of which units came back. A return takes back the buyer's latest
-- purchases of that product on or before its day; a return without a purchase before it counts for nothing.
with

lines as (

    select
        *,
        coalesce('c:' || customer_id, basket_id) as buyer_id
    from {{ ref('int_order_lines_joined') }}
    where ordered_on <= {{ as_of() }}

),

returned as (

    select distinct
        buyer_id,
        product_id
    from (
        select
            product_id,
            coalesce('c:' || customer_id, basket_id) as buyer_id
        from {{ ref('int_order_lines_joined') }}
        where ordered_on <= {{ as_of() }} and quantity_units < 0
    ) as return_lines

),

days as (

    select
        lines.basket_id,
        lines.buyer_id,
        lines.product_id,
        lines.ordered_on,
        sum(greatest(lines.quantity_units, 0)) as bought_units,
        sum(lines.quantity_units) as net_units
    from lines
    inner join returned on lines.buyer_id = returned.buyer_id and lines.product_id = returned.product_id
    group by lines.basket_id, lines.buyer_id, lines.product_id, lines.ordered_on

),

summed as (

    select
        *,
        sum(net_units) over (partition by buyer_id, product_id order by ordered_on) as net_so_far_units
    from days

),

-- What the buyer holds after each day: purchases less returns, never below none.
held as (

    select
        *,
        net_so_far_units - least(
            0, min(net_so_far_units) over (partition by buyer_id, product_id order by ordered_on)
        ) as held_units
    from summed

),

compared as (

    select
        *,
        lag(held_units, 1, 0::numeric) over (partition by buyer_id, product_id order by ordered_on)
            as held_before_units,
        min(held_units) over (
            partition by buyer_id, product_id
            order by ordered_on
            rows between current row and unbounded following
        ) as least_held_units
    from held

),

-- Of a purchase stays what the buyer never went below afterwards.
matched as (

    select
        {{ as_of() }} as as_of,
        basket_id,
        product_id,
        (bought_units - greatest(least_held_units - held_before_units, 0))::bigint as returned_units
    from compared
    where bought_units > greatest(least_held_units - held_before_units, 0)

)

select * from matched
