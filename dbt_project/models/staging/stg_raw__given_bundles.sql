-- One row per product of a bundle that the shop itself put together.
with

source as (

    select * from {{ source('raw', 'given_bundles') }}

),

renamed as (

    select
        -- ids
        bundle_id,
        product_id,
        -- numerics
        position
    from source

)

select * from renamed
