-- One row per as-of day and thing that a known customer did on the web; of what was sent twice, the first.
{{ config(indexes=[{'columns': ['as_of', 'event_id'], 'unique': true}]) }}

with

known as (

    select * from {{ ref('stg_raw__events') }}
    where
        customer_id is not null
        and occurred_on <= {{ as_of() }}

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

dated as (

    select
        {{ as_of() }} as as_of,
        event_id,
        customer_id,
        occurred_at,
        occurred_on,
        event_type,
        product_id
    from deduplicated

)

select * from dated
