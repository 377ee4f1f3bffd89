-- One row per signal from outside the shop: demand for a category, a competitor's price.
with

source as (

    select * from {{ source('raw', 'market_signals') }}

),

renamed as (

    select
        -- ids
        signal_id,
        product_id,
        -- text
        kind,
        nullif(trim(category), '') as category,
        -- numerics
        value as signal_value,
        -- dates
        signal_on
    from source

)

select * from renamed
