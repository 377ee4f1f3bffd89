-- One row per as-of day, week (its Monday), scenario and policy with reactions to bundles or lines credited to them.
{{ config(indexes=[{'columns': ['as_of', 'week', 'scenario', 'policy'], 'unique': true}]) }}

with

feedback as (

    select
        *,
        coalesce(scenario, 'unresolved') as scenario_shown,
        coalesce(policy, 'unknown') as policy_shown,
        date_trunc('week', occurred_on)::date as week
    from {{ ref('int_feedback_resolved') }}
    where as_of = {{ as_of() }}

),

credited_lines as (

    select
        *,
        coalesce(policy, 'unknown') as policy_shown,
        date_trunc('week', ordered_on)::date as week
    from {{ ref('int_order_lines_credited') }}
    where as_of = {{ as_of() }} and bundle_id is not null

),

reactions as (

    select
        week,
        scenario_shown as scenario,
        policy_shown as policy,
        count(*) filter (where kind = 'impression') as impressions,
        count(*) filter (where kind = 'click') as clicks,
        count(*) filter (where kind = 'add') as adds,
        count(*) filter (where kind = 'purchase') as purchases,
        count(*) filter (where kind = 'return') as returns,
        count(*) filter (where product_ids is null) as unresolved
    from feedback
    group by week, scenario_shown, policy_shown

),

-- An order stands where the bundle that it is credited to was shown last.
steps as (

    select
        customer_id,
        bundle_id,
        occurred_at,
        kind,
        week,
        scenario_shown as scenario,
        policy_shown as policy
    from feedback
    where customer_id is not null
    union all
    select distinct
        customer_id,
        bundle_id,
        ordered_at as occurred_at,
        'order' as kind,
        week,
        scenario,
        policy_shown as policy
    from credited_lines
    where customer_id is not null

),

numbered as (

    select
        *,
        count(*) filter (where kind = 'impression') over (
            partition by customer_id, bundle_id
            order by occurred_at asc, kind = 'impression' desc
            rows unbounded preceding
        ) as showing
    from steps

),

timed as (

    select
        *,
        min(occurred_at) over (partition by customer_id, bundle_id, showing)
        + make_interval(days => {{ var('attribution_days') }}) as ends_at
    from numbered
    where showing > 0

),

showings as (

    select
        min(week) filter (where kind = 'impression') as week,
        min(scenario) filter (where kind = 'impression') as scenario,
        min(policy) filter (where kind = 'impression') as policy,
        bool_or(kind = 'click' and occurred_at < ends_at) as is_clicked,
        bool_or(kind = 'order' and occurred_at < ends_at) as is_bought,
        {{ business_day('min(ends_at)') }} <= {{ as_of() }} as is_over
    from timed
    group by customer_id, bundle_id, showing

),

followed as (

    select
        week,
        scenario,
        policy,
        count(*) as known_impressions,
        count(*) filter (where is_clicked) as clicked_impressions,
        count(*) filter (where is_bought) as bought_impressions
    from showings
    -- Those of the last days may still be clicked or bought: counted now, the newest week would always look the worst.
    where is_over
    group by week, scenario, policy

),

earned as (

    select
        week,
        scenario,
        policy_shown as policy,
        count(distinct order_id) as credited_orders,
        count(*) as credited_lines,
        count(*) filter (where returned_credited_units > 0) as returned_lines,
        count(*) filter (where net_credited_cost_cents is null) as lines_without_cost,
        sum(credited_cents)::bigint as credited_cents,
        sum(returned_credited_cents)::bigint as returned_cents,
        sum(net_credited_cents)::bigint as net_credited_cents,
        sum(net_credited_cost_cents)::bigint as net_credited_cost_cents
    from credited_lines
    group by week, scenario, policy_shown

),

compared as (

    select * from {{ ref('int_bundle_buyers_compared') }}
    where as_of = {{ as_of() }}

),

keys as (

    select
        week,
        scenario,
        policy
    from reactions
    union distinct
    select
        week,
        scenario,
        policy
    from earned

),

counted as (

    select
        {{ as_of() }} as as_of,
        keys.week,
        keys.scenario,
        keys.policy,
        coalesce(reactions.impressions, 0) as impressions,
        coalesce(reactions.clicks, 0) as clicks,
        coalesce(reactions.adds, 0) as adds,
        coalesce(reactions.purchases, 0) as purchases,
        coalesce(reactions.returns, 0) as returns,
        coalesce(reactions.unresolved, 0) as unresolved,
        coalesce(followed.known_impressions, 0) as known_impressions,
        coalesce(followed.clicked_impressions, 0) as clicked_impressions,
        coalesce(followed.bought_impressions, 0) as bought_impressions,
        coalesce(earned.credited_orders, 0) as credited_orders,
        coalesce(earned.credited_lines, 0) as credited_lines,
        coalesce(earned.lines_without_cost, 0) as lines_without_cost,
        coalesce(earned.credited_cents, 0) as credited_cents,
        coalesce(earned.returned_cents, 0) as returned_cents,
        coalesce(earned.net_credited_cents, 0) as net_credited_cents,
        coalesce(earned.net_credited_cost_cents, 0) as net_credited_cost_cents,
        coalesce(earned.returned_lines, 0) as returned_lines,
        coalesce(own.ratings, 0) as ratings,
        coalesce(own.stars, 0) as stars,
        coalesce(own.squared_stars, 0) as squared_stars,
        coalesce(own.buyers, 0) as buyers,
        coalesce(own.judged_buyers, 0) as judged_buyers,
        coalesce(own.repeat_buyers, 0) as repeat_buyers,
        coalesce(others.lines, 0) as other_lines,
        coalesce(others.returned_lines, 0) as other_returned_lines,
        coalesce(others.ratings, 0) as other_ratings,
        coalesce(others.stars, 0) as other_stars,
        coalesce(others.squared_stars, 0) as other_squared_stars,
        coalesce(others.buyers, 0) as other_buyers,
        coalesce(others.judged_buyers, 0) as other_judged_buyers,
        coalesce(others.repeat_buyers, 0) as other_repeat_buyers
    from keys
    left join reactions
        on keys.week = reactions.week and keys.scenario = reactions.scenario and keys.policy = reactions.policy
    left join followed
        on keys.week = followed.week and keys.scenario = followed.scenario and keys.policy = followed.policy
    left join earned
        on keys.week = earned.week and keys.scenario = earned.scenario and keys.policy = earned.policy
    left join compared as own
        on keys.week = own.week and keys.scenario = own.scenario and keys.policy = own.policy
    left join compared as others on keys.week = others.week and others.scenario = 'none'

)

select * from counted
