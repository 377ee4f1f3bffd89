-- One row per as-of day, basket and bundleable product: what the customer bought and kept, with
-- the share of the money that belongs to it, rounded down to the cent.
with

products as (

    select * from {{ ref('int_products_priced') }}
    where as_of = {{ as_of() }} and exclusion_reason is null

),

returns_matched as (

    select * from {{ ref('int_returns_matched') }}
    where as_of = {{ as_of() }}

),

bought as (

    select
        lines.basket_id,
        lines.product_id,
        min(lines.customer_id) as customer_id,
        min(lines.ordered_on) as basket_on,
        sum(lines.quantity_units) as units,
        sum(lines.paid_cents) as paid_cents,
        sum(lines.discount_cents) as discount_cents
    from {{ ref('int_order_lines_joined') }} as lines
    inner join products on lines.product_id = products.product_id
    where lines.ordered_on <= {{ as_of() }} and lines.quantity_units > 0
    group by lines.basket_id, lines.product_id

),

netted as (

    select
        {{ as_of() }} as as_of,
        bought.basket_id,
        bought.customer_id,
        bought.basket_on,
        bought.product_id,
        (bought.units - coalesce(returns_matched.returned_units, 0))::int as units,
        (
            bought.paid_cents * (bought.units - coalesce(returns_matched.returned_units, 0)) / bought.units
        )::int as paid_cents,
        (
            bought.discount_cents * (bought.units - coalesce(returns_matched.returned_units, 0)) / bought.units
        )::int as discount_cents
    from bought
    left join returns_matched
        on bought.basket_id = returns_matched.basket_id and bought.product_id = returns_matched.product_id
    where bought.units > coalesce(returns_matched.returned_units, 0)

)

select * from netted
