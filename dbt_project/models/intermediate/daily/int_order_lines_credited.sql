-- One row per as-of day and line of an order that a reaction to a bundle led to, whether the line is credited or not.
{{ config(indexes=[{'columns': ['as_of', 'order_id', 'line_number'], 'unique': true}]) }}

with

feedback as (

    select
        *,
        case kind when 'purchase' then 4 when 'add' then 3 when 'click' then 2 when 'impression' then 1 end as strength
    from {{ ref('int_feedback_resolved') }}
    where as_of = {{ as_of() }} and product_ids is not null

),

orders as (

    select * from {{ ref('stg_raw__orders') }}
    where
        not is_cancelled
        and ordered_on <= {{ as_of() }} and ordered_on > {{ as_of() }} - {{ var('feedback_days') }}

),

-- A reaction that names an order led to that one alone.
reactions as (

    select
        orders.order_id,
        feedback.feedback_id,
        true as is_named
    from feedback
    inner join orders on feedback.order_id = orders.order_id
    where
        feedback.strength is not null
        and (
            feedback.customer_id is null or orders.customer_id is null or feedback.customer_id = orders.customer_id
        )
    union all
    select
        orders.order_id,
        feedback.feedback_id,
        false as is_named
    from feedback
    inner join orders on feedback.customer_id = orders.customer_id
    where
        feedback.strength is not null and feedback.order_id is null
        and feedback.occurred_at <= orders.ordered_at
        and feedback.occurred_at > orders.ordered_at - make_interval(days => {{ var('attribution_days') }})

),

-- The strongest reaction to each bundle before an order, of equal ones the last.
touches as (

    select distinct on (reactions.order_id, feedback.bundle_id)
        reactions.order_id,
        feedback.bundle_id,
        feedback.feedback_id,
        feedback.kind,
        feedback.strength,
        feedback.occurred_at,
        feedback.scenario,
        feedback.policy,
        feedback.variant,
        feedback.run_id,
        feedback.product_ids,
        bool_or(reactions.is_named) over (partition by reactions.order_id, feedback.bundle_id) as is_named
    from reactions
    inner join feedback on reactions.feedback_id = feedback.feedback_id
    order by
        reactions.order_id asc,
        feedback.bundle_id asc,
        feedback.strength desc,
        feedback.occurred_at desc,
        feedback.feedback_id asc

),

-- The baskets of these orders, since a return takes back units of a basket.
baskets as (

    select distinct lines.basket_id
    from {{ ref('int_order_lines_joined') }} as lines
    inner join touches on lines.order_id = touches.order_id

),

lines as (

    select
        lines.*,
        orders.ordered_at
    from {{ ref('int_order_lines_joined') }} as lines
    inner join baskets on lines.basket_id = baskets.basket_id
    inner join orders on lines.order_id = orders.order_id
    where lines.quantity_units > 0

),

-- A bundle needs one unit of a product: of the first line that holds it.
held as (

    select
        order_id,
        product_id,
        min(line_number) as line_number
    from lines
    group by order_id, product_id

),

contents as (

    select
        touches.*,
        held.product_id,
        held.line_number,
        count(*) over (partition by touches.order_id, touches.bundle_id) as held_products
    from touches
    cross join unnest(touches.product_ids) as inside (product_id)
    inner join held on touches.order_id = held.order_id and inside.product_id = held.product_id

),

-- Where bundles overlap, a product goes to one of them.
credits as (

    select distinct on (order_id, product_id) *
    from contents
    where is_named or held_products >= {{ var('min_bundle_products') }}
    order by
        order_id asc,
        product_id asc,
        strength desc,
        is_named desc,
        occurred_at desc,
        bundle_id asc

),

split as (

    select
        lines.*,
        credits.bundle_id,
        credits.feedback_id,
        credits.kind as reaction,
        credits.occurred_at as reacted_at,
        credits.scenario,
        credits.policy,
        credits.variant,
        credits.run_id,
        (credits.bundle_id is not null)::int as credited_units,
        case
            when credits.bundle_id is null then 0
            else div(lines.paid_cents::numeric, lines.quantity_units)::bigint
        end as credited_cents
    from lines
    left join credits
        on
            lines.order_id = credits.order_id
            and lines.product_id = credits.product_id
            and lines.line_number = credits.line_number

),

-- What the shop says came back of a bundle: of the order it names, or else of the last one before.
bundle_returns as (

    select distinct on (feedback.feedback_id)
        split.order_id,
        split.bundle_id
    from feedback
    inner join split on feedback.bundle_id = split.bundle_id
    where
        feedback.kind = 'return'
        and case
            when feedback.order_id is not null then feedback.order_id = split.order_id
            else feedback.customer_id = split.customer_id and split.ordered_at <= feedback.occurred_at
        end
    order by feedback.feedback_id asc, split.ordered_at desc, split.order_id desc

),

returned_bundles as (

    select distinct
        order_id,
        bundle_id
    from bundle_returns

),

-- Credited units come back first, so that a bundle never earns what may have been its unit.
queued as (

    select
        split.*,
        coalesce(returns_matched.returned_units, 0) as basket_returned_units,
        sum(split.quantity_units) over (
            partition by split.basket_id, split.product_id
            order by
                split.credited_units desc,
                split.ordered_at desc,
                split.order_id desc,
                split.line_number desc
        ) - split.quantity_units as units_before
    from split
    left join {{ ref('int_returns_matched') }} as returns_matched
        on
            returns_matched.as_of = {{ as_of() }}
            and split.basket_id = returns_matched.basket_id
            and split.product_id = returns_matched.product_id

),

returned as (

    select
        queued.*,
        greatest(
            least(queued.quantity_units, queued.basket_returned_units - queued.units_before),
            case when returned_bundles.order_id is null then 0 else queued.credited_units end
        ) as returned_units
    from queued
    left join returned_bundles
        on queued.order_id = returned_bundles.order_id and queued.bundle_id = returned_bundles.bundle_id
    where queued.order_id in (select touches.order_id from touches)

),

priced as (

    select
        returned.*,
        products.cost_cents,
        least(returned.credited_units, returned.returned_units)::int as returned_credited_units,
        div(returned.paid_cents::numeric * returned.returned_units, returned.quantity_units)::bigint as returned_cents
    from returned
    left join {{ ref('stg_raw__products') }} as products on returned.product_id = products.product_id

),

credited as (

    select
        {{ as_of() }} as as_of,
        order_id,
        line_number,
        basket_id,
        customer_id,
        product_id,
        ordered_at,
        ordered_on,
        quantity_units,
        paid_cents,
        bundle_id,
        scenario,
        policy,
        variant,
        run_id,
        feedback_id,
        reaction,
        reacted_at,
        credited_units,
        credited_cents,
        paid_cents - credited_cents as uncredited_cents,
        returned_units::bigint as returned_units,
        returned_cents,
        returned_credited_units,
        returned_credited_units * credited_cents as returned_credited_cents,
        credited_cents - returned_credited_units * credited_cents as net_credited_cents,
        paid_cents - credited_cents - (returned_cents - returned_credited_units * credited_cents)
            as net_uncredited_cents,
        case when bundle_id is not null then cost_cents * (credited_units - returned_credited_units) end
            as net_credited_cost_cents
    from priced

)

select * from credited
