-- One row per day without an order on which the shop usually sells: nearly always a delivery that did not come.
-- Judged by its own weekday, since many shops are closed on some; of all days from the first order on, up to
-- yesterday; of a shop that delivers no more, two weeks.
with

sold as (

    -- Cancelled orders too: they were delivered.
    select
        ordered_on,
        count(*) as orders
    from {{ ref('stg_raw__orders') }}
    group by ordered_on

),

days as (

    select generate_series(min(ordered_on), greatest(max(ordered_on), {{ today() }} - 1), interval '1 day')::date as day
    from sold

),

compared as (

    select
        days.day,
        coalesce(sold.orders, 0) as orders,
        count(*) over same_weekday as weeks_before,
        count(sold.orders) over same_weekday as weeks_sold,
        avg(coalesce(sold.orders, 0)) over same_weekday as usual_orders
    from days
    left join sold on days.day = sold.ordered_on
    window same_weekday as (
        partition by extract(isodow from days.day) order by days.day
        rows between 8 preceding and 1 preceding
    )

),

missing as (

    select
        day as missing_on,
        weeks_sold,
        usual_orders::double precision as usual_orders
    from compared
    where
        orders = 0
        -- A weekday is known after four of them; one on which the shop was shut twice in eight weeks is still usual.
        and weeks_before >= 4
        and weeks_sold >= 0.75 * weeks_before
        -- Of fewer a day none may come by chance.
        and usual_orders >= 10

)

select * from missing
