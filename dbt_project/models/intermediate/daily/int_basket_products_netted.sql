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

kept as (

    select
        bought.*,
        bought.units - coalesce(returns_matched.returned_units, 0) as kept_units
    from bought
    left join returns_matched
        on bought.basket_id = returns_matched.basket_id and bought.product_id = returns_matched.product_id
    where bought.units > coalesce(returns_matched.returned_units, 0)

),

-- Sums of many lines outgrow an integer, and money times units a bigint, hence numeric between.
netted as (

    select
        {{ as_of() }} as as_of,
        basket_id,
        customer_id,
        basket_on,
        product_id,
        kept_units as units,
        div(paid_cents::numeric * kept_units, units)::bigint as paid_cents,
        div(discount_cents::numeric * kept_units, units)::bigint as discount_cents
    from kept

)

select * from netted
