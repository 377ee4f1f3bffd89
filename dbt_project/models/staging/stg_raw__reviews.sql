-- One row per review of a product.
with

source as (

    select * from {{ source('raw', 'reviews') }}

),

renamed as (

    select
        -- ids
        review_id,
        product_id,
        nullif(trim(customer_id), '') as customer_id,
        -- text
        nullif(trim(body), '') as body,
        -- numerics
        rating,
        -- instants
        reviewed_at,
        {{ business_day('reviewed_at') }} as reviewed_on
    from source

)

select * from renamed
