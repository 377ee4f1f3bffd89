-- One row per thing that happened to a bundle that was shown: impression, click, add, purchase or return.
with

source as (

    select * from {{ source('raw', 'bundle_feedback') }}

),

renamed as (

    select
        -- ids
        feedback_id,
        bundle_id,
        nullif(trim(customer_id), '') as customer_id,
        order_id,
        -- text
        kind,
        policy,
        variant,
        -- numerics
        propensity,
        -- instants
        occurred_at,
        {{ business_day('occurred_at') }} as occurred_on
    from source

)

select * from renamed
