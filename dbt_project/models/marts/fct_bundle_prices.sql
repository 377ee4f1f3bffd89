-- One row per bundle of the published sale: its price, the same for everybody, and what is expected of it.
with

prices as (

    select * from {{ source('ml', 'bundle_prices') }}
    where run_id = {{ published_run('bundle_sale') }}

),

unavailable as (

    {{ unavailable('bundle_sale', 'bundle_prices') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('bundle_sale') }}

),

shown as (

    select
        prices.bundle_key,
        prices.bundle_rank,
        prices.product_ids,
        prices.bundle_size,
        prices.is_discounted,
        {{ decimal_money('prices.list_price_cents') }} as list_price,
        {{ decimal_money('prices.bundle_price_cents') }} as bundle_price,
        {{ decimal_money('prices.discount_cents') }} as discount,
        prices.discount_share,
        {{ decimal_money('prices.bundle_margin_cents') }} as bundle_margin,
        prices.customers,
        prices.units_at_list,
        prices.units_at_price,
        prices.attach_at_list,
        prices.attach_at_price,
        prices.cannibalised_units,
        prices.diverted_units,
        prices.pull_forward_units,
        prices.incremental_units,
        prices.units_sensitive,
        prices.units_insensitive,
        {{ decimal_money('prices.expected_incremental_margin_cents') }} as expected_incremental_margin,
        {{ decimal_money('prices.margin_low_cents') }} as margin_low,
        {{ decimal_money('prices.margin_high_cents') }} as margin_high,
        prices.elasticity_level,
        prices.demand_source,
        prices.margin_note,
        prices.reason,
        {{ decimal_money('prices.objective') }} as objective,
        {{ decimal_money('prices.upper_bound') }} as upper_bound,
        prices.gap_pct,
        unavailable.unavailable_reason,
        runs.run_id,
        runs.as_of
    from prices
    full join unavailable on false
    cross join runs

)

select * from shown
