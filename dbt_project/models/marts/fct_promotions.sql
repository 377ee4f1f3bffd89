-- One row per product that the published promotion offers cheaper; one that says why, where there is no promotion.
with

promoted as (

    select
        *,
        sum(discount_cost_cents) over () as plan_discount_cost_cents
    from {{ source('ml', 'promotion_products') }}
    where run_id = {{ published_run('cross_category') }}

),

invited as (

    select
        count(*)::int as invited_customers,
        sum(probability) as reach_customers
    from {{ source('ml', 'promotion_invitations') }}
    where run_id = {{ published_run('cross_category') }}

),

lacking as (

    {{ unavailable('cross_category', 'promotion_products') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('cross_category') }}

),

shown as (

    select
        promoted.product_id,
        coalesce(products.title, promoted.product_id) as product,
        promoted.category,
        promoted.starts_on,
        promoted.ends_on,
        promoted.discount_share,
        {{ decimal_money('promoted.list_price_cents') }} as list_price,
        {{ decimal_money('promoted.promoted_price_cents') }} as promoted_price,
        promoted.base_units,
        promoted.expected_units,
        {{ decimal_money('promoted.discount_cost_cents') }} as discount_cost,
        {{ decimal_money('promoted.expected_incremental_margin_cents') }} as expected_incremental_margin,
        {{ decimal_money('promoted.incremental_margin_low_cents') }} as incremental_margin_low,
        {{ decimal_money('promoted.incremental_margin_high_cents') }} as incremental_margin_high,
        {{ decimal_money('promoted.halo_margin_cents') }} as halo_margin,
        {{ decimal_money('promoted.substituted_margin_cents') }} as substituted_margin,
        {{ decimal_money('promoted.pulled_margin_cents') }} as pulled_margin,
        promoted.elasticity,
        promoted.elasticity_level,
        promoted.margin_note,
        promoted.reason,
        {{ decimal_money('promoted.plan_discount_cost_cents') }} as plan_discount_cost,
        {{ decimal_money('promoted.objective') }} as plan_incremental_margin,
        {{ decimal_money('promoted.plan_margin_low_cents') }} as plan_margin_low,
        {{ decimal_money('promoted.plan_margin_high_cents') }} as plan_margin_high,
        {{ decimal_money('promoted.upper_bound') }} as plan_upper_bound,
        promoted.gap_pct,
        invited.invited_customers,
        invited.reach_customers,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of
    from runs
    cross join invited
    left join lacking on true
    left join promoted on lacking.unavailable_reason is null
    left join {{ ref('dim_products') }} as products on promoted.product_id = products.product_id
    where promoted.product_id is not null or lacking.unavailable_reason is not null

)

select * from shown
