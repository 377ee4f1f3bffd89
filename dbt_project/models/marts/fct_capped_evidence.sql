-- One row per customer's day with more events than a person makes (a bot), and per product's day with reviews that do
-- not count. Of all days, not of the published run.
with

bots as (

    select
        'bot' as kind,
        customer_id as subject,
        occurred_on as happened_on,
        count(*) as delivered,
        count(*) filter (where is_counted) as counted,
        0::bigint as not_bought,
        0::bigint as repeated
    from {{ ref('int_events_counted') }}
    where customer_id not in (select erasures.customer_id from {{ source('ops', 'erasures') }} as erasures)
    group by customer_id, occurred_on
    having not bool_and(is_counted)

),

reviews as (

    select
        'reviews' as kind,
        product_id as subject,
        reviewed_on as happened_on,
        count(*) as delivered,
        count(*) filter (where uncounted_reason is null) as counted,
        count(*) filter (where uncounted_reason = 'not bought') as not_bought,
        count(*) filter (where uncounted_reason = 'repeated') as repeated
    from {{ ref('int_reviews_counted') }}
    group by product_id, reviewed_on
    having count(uncounted_reason) > 0

),

together as (

    select * from bots
    union all
    select * from reviews

),

shown as (

    select
        kind,
        subject,
        happened_on,
        delivered,
        counted,
        not_bought,
        repeated,
        delivered - counted - not_bought - repeated as too_many
    from together

)

select * from shown
