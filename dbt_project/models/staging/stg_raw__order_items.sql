-- One row per line of an order; a return is a line with a negative quantity.
with

source as (

    select * from {{ source('raw', 'order_items') }}

),

renamed as (

    select
        -- ids
        order_id,
        line_number,
        product_id,
        -- numerics
        quantity as quantity_units,
        unit_price_cents,
        discount_cents,
        -- truths
        quantity < 0 as is_return
    from source

)

select * from renamed
