-- One row per as-of day and thing that a known customer did with a bundle that was shown, up to that day.
{{ config(indexes=[{'columns': ['as_of', 'feedback_id'], 'unique': true}]) }}

with

known as (

    select * from {{ ref('stg_raw__bundle_feedback') }}
    where
        customer_id is not null
        and occurred_on <= {{ as_of() }}

),

dated as (

    select
        {{ as_of() }} as as_of,
        feedback_id,
        customer_id,
        bundle_id,
        kind,
        occurred_on,
        policy,
        propensity,
        variant,
        order_id
    from known

)

select * from dated
