-- One row per thing a visitor did: view, search, cart or purchase.
with

source as (

    select * from {{ source('raw', 'events') }}

),

renamed as (

    select
        -- ids
        event_id,
        nullif(trim(customer_id), '') as customer_id,
        nullif(trim(session_id), '') as session_id,
        product_id,
        -- text
        event_type,
        nullif(lower(trim(query_text)), '') as query_text,
        -- instants
        occurred_at,
        {{ business_day('occurred_at') }} as occurred_on
    from source

)

select * from renamed
