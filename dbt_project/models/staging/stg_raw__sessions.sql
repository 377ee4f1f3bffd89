-- One row per visit to the shop.
with

source as (

    select * from {{ source('raw', 'sessions') }}

),

renamed as (

    select
        -- ids
        session_id,
        nullif(trim(customer_id), '') as customer_id,
        -- text
        nullif(trim(channel), '') as channel,
        -- instants
        started_at,
        {{ business_day('started_at') }} as started_on
    from source

)

select * from renamed
