-- One row per rule of a merchandiser.
with

source as (

    select * from {{ source('raw', 'merch_rules') }}

),

renamed as (

    select
        -- ids
        rule_id,
        nullif(trim(product_id), '') as product_id,
        -- text
        kind as rule_kind,
        nullif(trim(category), '') as category,
        scenario,
        author as rule_author,
        reason as rule_reason,
        -- numerics
        floor_cents,
        -- dates
        starts_on,
        ends_on
    from source

)

select * from renamed
