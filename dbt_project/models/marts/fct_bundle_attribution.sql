-- One row per line of an order that a reaction to a bundle led to; one that says why, where there is none.
-- Customers who asked to be left out are not shown.
with

measured as (

    select * from {{ ref('int_order_lines_credited') }}
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
        measured.order_id,
        measured.line_number,
        measured.customer_id,
        measured.ordered_at,
        measured.product_id,
        measured.quantity_units,
        measured.bundle_id,
        measured.scenario,
        measured.policy,
        measured.variant,
        measured.reaction,
        measured.reacted_at,
        measured.feedback_id,
        measured.credited_units,
        measured.returned_units,
        {{ decimal_money('measured.paid_cents') }} as revenue,
        {{ decimal_money('measured.credited_cents') }} as credited_revenue,
        {{ decimal_money('measured.uncredited_cents') }} as uncredited_revenue,
        {{ decimal_money('measured.returned_cents') }} as returned_revenue,
        {{ decimal_money('measured.returned_credited_cents') }} as returned_credited_revenue,
        {{ decimal_money('measured.net_credited_cents') }} as net_credited_revenue,
        {{ decimal_money('measured.net_uncredited_cents') }} as net_uncredited_revenue,
        {{ decimal_money('measured.net_credited_cents - measured.net_credited_cost_cents') }} as credited_margin,
        case
            when measured.bundle_id is not null and measured.net_credited_cost_cents is null
                then 'cost of the product unknown'
        end as margin_note,
        measured.run_id,
        lacking.unavailable_reason,
        measured.as_of
    from measured
    full join lacking on true

)

select * from shown
