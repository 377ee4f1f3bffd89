-- One row per count of a product in a warehouse; what is reserved cannot be sold again.
with

source as (

    select * from {{ source('raw', 'stock_levels') }}

),

renamed as (

    select
        -- ids
        product_id,
        warehouse_id,
        -- numerics
        on_hand_units,
        reserved_units,
        greatest(on_hand_units - reserved_units, 0) as available_units,
        -- instants
        counted_at,
        {{ business_day('counted_at') }} as counted_on
    from source

)

select * from renamed
