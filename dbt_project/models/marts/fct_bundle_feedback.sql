-- One row per reaction to a bundle: which bundle it was, or why nobody knows; one that says why there is none.
-- Customers who asked to be left out are not shown.
with

measured as (

    select * from {{ ref('int_feedback_resolved') }}
    where
        as_of = {{ measured_day() }}
        and (
            customer_id is null
            or customer_id not in (select erasures.customer_id from {{ source('ops', 'erasures') }} as erasures)
        )

),

lacking as (

    select 'not available: needs bundle_feedback' as unavailable_reason
    where not exists (select from {{ ref('stg_raw__bundle_feedback') }})

),

shown as (

    select
        measured.feedback_id,
        measured.bundle_id,
        measured.customer_id,
        measured.order_id,
        measured.kind,
        measured.occurred_at,
        measured.resolution,
        measured.scenario,
        measured.policy,
        measured.propensity,
        measured.variant,
        measured.product_ids,
        {{ decimal_money('measured.list_price_cents') }} as list_price,
        {{ decimal_money('measured.bundle_price_cents') }} as bundle_price,
        measured.run_id,
        lacking.unavailable_reason,
        measured.as_of
    from measured
    full join lacking on true

)

select * from shown
