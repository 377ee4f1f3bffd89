-- One row per thing that a known customer did on the web, with its place in their day; of what was sent twice, the
-- first. Beyond var max_day_events of a day it is a script that looks, not a person. Holds for any day.
with

known as (

    select * from {{ ref('stg_raw__events') }}
    where customer_id is not null

),

deduplicated as (

    select
        min(event_id) as event_id,
        customer_id,
        occurred_at,
        occurred_on,
        event_type,
        product_id
    from known
    group by customer_id, occurred_at, occurred_on, event_type, product_id

),

placed as (

    select
        *,
        row_number() over (partition by customer_id, occurred_on order by occurred_at, event_id) as place_in_day
    from deduplicated

),

judged as (

    select
        event_id,
        customer_id,
        occurred_at,
        occurred_on,
        event_type,
        product_id,
        place_in_day <= {{ var('max_day_events') }} as is_counted
    from placed

)

select * from judged
