-- One row per as-of day and reaction to a bundle in the year before: which bundle that was, or why nobody knows.
{{ config(indexes=[{'columns': ['as_of', 'feedback_id'], 'unique': true}]) }}

with

feedback as (

    select * from {{ ref('stg_raw__bundle_feedback') }}
    where occurred_on <= {{ as_of() }} and occurred_on > {{ as_of() }} - {{ var('feedback_days') }}

),

-- A rollback shows the bundles of an earlier run once more.
moves as (

    select
        publish_id,
        run_id,
        published_at as shown_at
    from {{ source('ops', 'publish_log') }}
    where action in ('publish', 'rollback')

),

-- Those of a run that is about to be published wait there too.
offers as (

    select * from {{ source('ops', 'offered_bundles') }}
    where run_id in (select moves.run_id from moves)

),

-- The newest showing before the reaction; in a backfill, where bundles of a day long past are published now, the first
-- one after it. A bundle made from later data than the reaction cannot be meant.
matched as (

    select distinct on (feedback.feedback_id)
        feedback.feedback_id,
        offers.run_id,
        offers.scope,
        offers.policy,
        offers.product_ids,
        offers.list_price_cents,
        offers.bundle_price_cents,
        moves.shown_at <= feedback.occurred_at as is_shown_before
    from feedback
    inner join offers on feedback.bundle_id = offers.bundle_id
    inner join moves on offers.run_id = moves.run_id
    where
        offers.as_of <= feedback.occurred_on
        and (feedback.customer_id is null or feedback.customer_id = offers.customer_id)
    order by
        feedback.feedback_id asc,
        moves.shown_at <= feedback.occurred_at desc,
        abs(extract(epoch from feedback.occurred_at - moves.shown_at)) asc,
        moves.publish_id desc

),

first_offers as (

    select
        bundle_id,
        min(as_of) as first_as_of
    from offers
    group by bundle_id

),

given as (

    select
        bundle_id,
        array_agg(product_id order by position asc, product_id asc) as product_ids
    from {{ ref('stg_raw__given_bundles') }}
    group by bundle_id

),

resolved as (

    select
        {{ as_of() }} as as_of,
        feedback.feedback_id,
        feedback.bundle_id,
        feedback.customer_id,
        feedback.order_id,
        feedback.kind,
        feedback.occurred_at,
        feedback.occurred_on,
        case
            when matched.is_shown_before then 'offer'
            when matched.run_id is not null then 'backfilled_offer'
            when given.bundle_id is not null then 'given_bundle'
            when first_offers.bundle_id is null then 'unknown_bundle'
            when first_offers.first_as_of > feedback.occurred_on then 'not_offered_yet'
            else 'other_customer'
        end as resolution,
        case
            when matched.run_id is not null then matched.scope
            when given.bundle_id is not null then 'given'
        end as scenario,
        coalesce(nullif(trim(feedback.policy), ''), matched.policy) as policy,
        feedback.propensity,
        feedback.variant,
        matched.run_id,
        coalesce(matched.product_ids, given.product_ids) as product_ids,
        matched.list_price_cents,
        matched.bundle_price_cents
    from feedback
    left join matched on feedback.feedback_id = matched.feedback_id
    left join given on feedback.bundle_id = given.bundle_id
    left join first_offers on feedback.bundle_id = first_offers.bundle_id

)

select * from resolved
