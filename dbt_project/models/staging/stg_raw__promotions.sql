-- One row per promotion of a product, with its first and its last day.
with

source as (

    select * from {{ source('raw', 'promotions') }}

),

renamed as (

    select
        -- ids
        promotion_id,
        product_id,
        -- text
        kind,
        -- numerics
        discount_share,
        store_count,
        -- dates
        starts_on,
        ends_on
    from source

)

select * from renamed
