-- One row per as-of day, customer and product of bundles shown to the customer: how they took these, in all and by day.
{{ config(indexes=[{'columns': ['as_of', 'customer_id', 'product_id'], 'unique': true}]) }}

with

reactions as (

    select
        feedback.customer_id,
        feedback.occurred_on,
        feedback.kind,
        inside.product_id
    from {{ ref('int_feedback_resolved') }} as feedback
    cross join unnest(feedback.product_ids) as inside (product_id)
    where feedback.as_of = {{ as_of() }} and feedback.customer_id is not null and feedback.kind <> 'return'

),

days as (

    select
        customer_id,
        product_id,
        occurred_on as reacted_on,
        (count(*) filter (where kind = 'impression'))::int as impressions,
        (count(*) filter (where kind in ('click', 'add')))::int as clicks,
        (count(*) filter (where kind = 'purchase'))::int as purchases
    from reactions
    group by customer_id, product_id, occurred_on

),

-- The share of all impressions that were clicked, towards which few impressions of one product are drawn.
overall as (

    select least(1, sum(clicks) / nullif(sum(impressions), 0)::float8) as click_rate
    from days

),

gathered as (

    select
        customer_id,
        product_id,
        sum(impressions)::int as impressions,
        sum(clicks)::int as clicks,
        sum(purchases)::int as purchases,
        array_agg(reacted_on order by reacted_on) as reacted_on,
        array_agg(impressions::bigint order by reacted_on) as day_impressions,
        array_agg(clicks::bigint order by reacted_on) as day_clicks,
        array_agg(purchases::bigint order by reacted_on) as day_purchases
    from days
    group by customer_id, product_id

),

smoothed as (

    select
        {{ as_of() }} as as_of,
        gathered.customer_id,
        gathered.product_id,
        gathered.impressions,
        gathered.clicks,
        gathered.purchases,
        least(
            1,
            (gathered.clicks + {{ var('click_prior_impressions') }} * overall.click_rate)
            / (gathered.impressions + {{ var('click_prior_impressions') }})
        ) as click_rate,
        gathered.reacted_on,
        gathered.day_impressions,
        gathered.day_clicks,
        gathered.day_purchases
    from gathered
    cross join overall

)

select * from smoothed
