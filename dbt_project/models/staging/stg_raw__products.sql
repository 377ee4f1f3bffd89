-- One row per product of the catalogue; department and category are the first two levels of its path.
with

source as (

    select * from {{ source('raw', 'products') }}

),

levelled as (

    select
        *,
        nullif(trim(split_part(category_path, '>', 1)), '') as first_level,
        nullif(trim(split_part(category_path, '>', 2)), '') as second_level
    from source

),

renamed as (

    select
        -- ids
        product_id,
        -- text
        nullif(trim(title), '') as title,
        nullif(trim(brand), '') as brand,
        first_level as department,
        coalesce(second_level, first_level) as category,
        nullif(trim(category_path), '') as category_path,
        -- numerics
        price_cents,
        cost_cents,
        -- truths
        is_active,
        -- dates
        launched_on,
        -- vectors
        image_vector,
        text_vector,
        audio_vector
    from levelled

)

select * from renamed
