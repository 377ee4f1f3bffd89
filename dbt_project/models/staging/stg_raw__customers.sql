-- One row per customer the shop knows.
with

source as (

    select * from {{ source('raw', 'customers') }}

),

renamed as (

    select
        -- ids
        customer_id,
        -- text
        nullif(trim(segment), '') as segment,
        nullif(trim(age_band), '') as age_band,
        nullif(trim(gender), '') as gender,
        nullif(trim(region), '') as region,
        nullif(trim(income_band), '') as income_band,
        nullif(trim(household_size), '') as household_size,
        -- dates
        signed_up_on
    from source

)

select * from renamed
