-- One row per as-of day, week (its Monday) and group of its buyers: those of a bundle by scenario and policy, or none.
{{ config(indexes=[{'columns': ['as_of', 'week', 'scenario', 'policy'], 'unique': true}]) }}

with

credited_lines as (

    select
        *,
        coalesce(policy, 'unknown') as policy_shown
    from {{ ref('int_order_lines_credited') }}
    where as_of = {{ as_of() }} and bundle_id is not null

),

-- A shop without feedback has nobody to compare with.
measured_days as (

    select distinct as_of
    from {{ ref('int_feedback_resolved') }}
    where as_of = {{ as_of() }}

),

-- Every line of known buyers, credited or not, in the days that are measured.
bought as (

    select
        lines.order_id,
        lines.line_number,
        lines.customer_id,
        lines.basket_id,
        lines.product_id,
        lines.ordered_on,
        date_trunc('week', lines.ordered_on)::date as week,
        credited_lines.scenario,
        credited_lines.policy_shown as policy
    from {{ ref('int_order_lines_joined') }} as lines
    left join credited_lines
        on lines.order_id = credited_lines.order_id and lines.line_number = credited_lines.line_number
    where
        exists (select from measured_days)
        and lines.customer_id is not null and lines.quantity_units > 0
        and lines.ordered_on <= {{ as_of() }} and lines.ordered_on > {{ as_of() }} - {{ var('feedback_days') }}

),

shopping_days as (

    select
        customer_id,
        ordered_on,
        lead(ordered_on) over (partition by customer_id order by ordered_on) as next_on
    from bought
    group by customer_id, ordered_on

),

bundle_buyers as (

    select
        week,
        scenario,
        policy,
        customer_id,
        min(ordered_on) as first_on
    from bought
    where scenario is not null
    group by week, scenario, policy, customer_id

),

other_buyers as (

    select
        week,
        customer_id,
        min(ordered_on) as first_on
    from bought
    group by week, customer_id
    having bool_and(scenario is null)

),

buyers as (

    select
        week,
        scenario,
        policy,
        customer_id,
        first_on
    from bundle_buyers
    union all
    select
        week,
        'none' as scenario,
        'none' as policy,
        customer_id,
        first_on
    from other_buyers

),

-- Whether buyers came back is known of weeks after whose last day the time to come back is over.
repeats as (

    select
        buyers.week,
        buyers.scenario,
        buyers.policy,
        count(*) as buyers,
        count(*) filter (where buyers.week + 6 + {{ var('repeat_days') }} <= {{ as_of() }}) as judged_buyers,
        count(*) filter (
            where
            buyers.week + 6 + {{ var('repeat_days') }} <= {{ as_of() }}
            and shopping_days.next_on <= buyers.first_on + {{ var('repeat_days') }}
        ) as repeat_buyers
    from buyers
    inner join shopping_days
        on buyers.customer_id = shopping_days.customer_id and buyers.first_on = shopping_days.ordered_on
    group by buyers.week, buyers.scenario, buyers.policy

),

-- A review is about the last purchase of its product before it.
reviews as (

    select distinct on (reviews.review_id)
        reviews.review_id,
        reviews.rating,
        bought.order_id,
        bought.line_number
    from {{ ref('int_reviews_counted') }} as reviews
    inner join bought on reviews.customer_id = bought.customer_id and reviews.product_id = bought.product_id
    where
        reviews.uncounted_reason is null
        and reviews.reviewed_on <= {{ as_of() }}
        and reviews.reviewed_on >= bought.ordered_on
        and reviews.reviewed_on <= bought.ordered_on + {{ var('rating_days') }}
    order by
        reviews.review_id asc,
        bought.ordered_on desc,
        bought.scenario is null asc,
        bought.order_id desc,
        bought.line_number desc

),

rated as (

    select
        order_id,
        line_number,
        count(*) as ratings,
        sum(rating) as stars,
        sum(rating * rating) as squared_stars
    from reviews
    group by order_id, line_number

),

-- Lines credited to a bundle, and all lines of those who bought no bundle that week.
judged_lines as (

    select
        bought.week,
        coalesce(bought.scenario, 'none') as scenario,
        coalesce(bought.policy, 'none') as policy,
        count(*) as lines,
        count(returns_matched.basket_id) as returned_lines,
        coalesce(sum(rated.ratings), 0)::bigint as ratings,
        coalesce(sum(rated.stars), 0)::bigint as stars,
        coalesce(sum(rated.squared_stars), 0)::bigint as squared_stars
    from bought
    left join other_buyers on bought.week = other_buyers.week and bought.customer_id = other_buyers.customer_id
    left join rated on bought.order_id = rated.order_id and bought.line_number = rated.line_number
    left join {{ ref('int_returns_matched') }} as returns_matched
        on
            returns_matched.as_of = {{ as_of() }}
            and bought.basket_id = returns_matched.basket_id
            and bought.product_id = returns_matched.product_id
    where bought.scenario is not null or other_buyers.customer_id is not null
    group by bought.week, bought.scenario, bought.policy

),

compared as (

    select
        {{ as_of() }} as as_of,
        repeats.week,
        repeats.scenario,
        repeats.policy,
        repeats.buyers,
        repeats.judged_buyers,
        repeats.repeat_buyers,
        judged_lines.lines,
        judged_lines.returned_lines,
        judged_lines.ratings,
        judged_lines.stars,
        judged_lines.squared_stars
    from repeats
    inner join judged_lines
        on
            repeats.week = judged_lines.week
            and repeats.scenario = judged_lines.scenario
            and repeats.policy = judged_lines.policy

)

select * from compared
