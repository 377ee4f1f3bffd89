-- One row per as-of day and thing that a known customer did on the web; of what was sent twice, the first, and of a day
-- no more than a person does.
{{ config(indexes=[{'columns': ['as_of', 'event_id'], 'unique': true}]) }}

with

counted as (

    select * from {{ ref('int_events_counted') }}
    where is_counted and occurred_on <= {{ as_of() }}

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
    from counted

)

select * from dated
