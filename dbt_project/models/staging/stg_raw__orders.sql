-- One row per order, cancelled ones too; an order without a customer is kept.
with

source as (

    select * from {{ source('raw', 'orders') }}

),

renamed as (

    select
        -- ids
        order_id,
        nullif(trim(customer_id), '') as customer_id,
        nullif(trim(store_id), '') as store_id,
        -- text
        nullif(trim(channel), '') as channel,
        -- truths
        lower(coalesce(trim(status), 'completed')) = 'cancelled' as is_cancelled,
        -- instants
        ordered_at,
        {{ business_day('ordered_at') }} as ordered_on
    from source

)

select * from renamed
