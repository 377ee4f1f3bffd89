-- One row per product: how long its supplier takes.
with

source as (

    select * from {{ source('raw', 'lead_times') }}

),

renamed as (

    select
        -- ids
        product_id,
        -- text
        nullif(trim(supplier), '') as supplier,
        -- numerics
        lead_days
    from source

)

select * from renamed
