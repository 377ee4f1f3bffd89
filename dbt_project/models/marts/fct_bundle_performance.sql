-- One row per week (its Monday), scenario and policy: what bundles earned; one that says why, where there is none.
with

measured as (

    select * from {{ ref('int_bundle_weeks_counted') }}
    where as_of = {{ measured_day() }}

),

lacking as (

    select 'not available: needs bundle_feedback' as unavailable_reason
    where not exists (select from {{ ref('stg_raw__bundle_feedback') }})

),

shown as (

    select
        measured.week,
        measured.scenario,
        measured.policy,
        measured.impressions,
        measured.clicks,
        measured.adds,
        measured.purchases,
        measured.returns,
        measured.unresolved,
        measured.known_impressions,
        measured.clicked_impressions / nullif(measured.known_impressions, 0)::float8 as click_rate,
        {{ wilson_low('measured.clicked_impressions', 'measured.known_impressions') }} as click_rate_low,
        {{ wilson_high('measured.clicked_impressions', 'measured.known_impressions') }} as click_rate_high,
        measured.bought_impressions / nullif(measured.known_impressions, 0)::float8 as attach_rate,
        {{ wilson_low('measured.bought_impressions', 'measured.known_impressions') }} as attach_rate_low,
        {{ wilson_high('measured.bought_impressions', 'measured.known_impressions') }} as attach_rate_high,
        measured.credited_orders,
        measured.credited_lines,
        {{ decimal_money('measured.credited_cents') }} as credited_revenue,
        {{ decimal_money('measured.returned_cents') }} as returned_credited_revenue,
        {{ decimal_money('measured.net_credited_cents') }} as net_credited_revenue,
        case
            when measured.lines_without_cost = 0
                then {{ decimal_money('measured.net_credited_cents - measured.net_credited_cost_cents') }}
        end as credited_margin,
        case
            when measured.lines_without_cost > 0
                then format(
                    'cost unknown of %s of %s credited lines', measured.lines_without_cost, measured.credited_lines
                )
        end as margin_note,
        measured.ratings,
        measured.stars / nullif(measured.ratings, 0)::float8 as rating_mean,
        {{ mean_low('measured.stars', 'measured.squared_stars', 'measured.ratings') }} as rating_low,
        {{ mean_high('measured.stars', 'measured.squared_stars', 'measured.ratings') }} as rating_high,
        measured.other_ratings,
        measured.other_stars / nullif(measured.other_ratings, 0)::float8 as other_rating_mean,
        {{ mean_low('measured.other_stars', 'measured.other_squared_stars', 'measured.other_ratings') }}
            as other_rating_low,
        {{ mean_high('measured.other_stars', 'measured.other_squared_stars', 'measured.other_ratings') }}
            as other_rating_high,
        measured.returned_lines / nullif(measured.credited_lines, 0)::float8 as return_rate,
        {{ wilson_low('measured.returned_lines', 'measured.credited_lines') }} as return_rate_low,
        {{ wilson_high('measured.returned_lines', 'measured.credited_lines') }} as return_rate_high,
        measured.other_lines,
        measured.other_returned_lines / nullif(measured.other_lines, 0)::float8 as other_return_rate,
        {{ wilson_low('measured.other_returned_lines', 'measured.other_lines') }} as other_return_rate_low,
        {{ wilson_high('measured.other_returned_lines', 'measured.other_lines') }} as other_return_rate_high,
        measured.buyers,
        measured.repeat_buyers / nullif(measured.judged_buyers, 0)::float8 as repeat_rate,
        {{ wilson_low('measured.repeat_buyers', 'measured.judged_buyers') }} as repeat_rate_low,
        {{ wilson_high('measured.repeat_buyers', 'measured.judged_buyers') }} as repeat_rate_high,
        measured.other_buyers,
        measured.other_repeat_buyers / nullif(measured.other_judged_buyers, 0)::float8 as other_repeat_rate,
        {{ wilson_low('measured.other_repeat_buyers', 'measured.other_judged_buyers') }} as other_repeat_rate_low,
        {{ wilson_high('measured.other_repeat_buyers', 'measured.other_judged_buyers') }} as other_repeat_rate_high,
        lacking.unavailable_reason,
        measured.as_of
    from measured
    full join lacking on true

)

select * from shown
