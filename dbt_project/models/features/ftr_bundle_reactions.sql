-- One row per as-of day, customer and product of bundles shown to the customer: how they took these, day by day.
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
    where
        feedback.as_of = {{ as_of() }}
        and feedback.customer_id is not null
        and feedback.kind in ('impression', 'click', 'add')

),

days as (

    select
        customer_id,
        product_id,
        occurred_on as reacted_on,
        count(*) filter (where kind = 'impression') as impressions,
        count(*) filter (where kind in ('click', 'add')) as clicks
    from reactions
    group by customer_id, product_id, occurred_on

),

gathered as (

    select
        {{ as_of() }} as as_of,
        customer_id,
        product_id,
        array_agg(reacted_on order by reacted_on) as reacted_on,
        array_agg(impressions order by reacted_on) as day_impressions,
        array_agg(clicks order by reacted_on) as day_clicks
    from days
    group by customer_id, product_id

)

select * from gathered
