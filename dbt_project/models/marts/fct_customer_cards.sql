-- One row per customer in the published plan: a short card for service staff. Who never bought has a card that says so.
with

cards as (

    select * from {{ source('ml', 'customer_cards') }}
    where run_id = {{ published_run('customer_care') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

due as (

    select
        due.customer_id,
        array_agg(due.product_id order by due.due_rank) as due_product_ids,
        array_agg(coalesce(products.title, due.product_id) order by due.due_rank) as due_products,
        array_agg(due.due_on order by due.due_rank) as due_on,
        array_agg(round(due.probability::numeric, 3) order by due.due_rank) as due_probabilities
    from {{ source('ml', 'due_repurchases') }} as due
    left join products on due.product_id = products.product_id
    where due.run_id = {{ published_run('customer_care') }}
    group by due.customer_id

),

lacking as (

    {{ unavailable('customer_care', 'customer_cards') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('customer_care') }}

),

shown as (

    select
        cards.customer_id,
        cards.visits,
        cards.last_visit_on,
        cards.expected_next_visit_on,
        cards.lapse_risk,
        cards.lapse_risk_low,
        cards.lapse_risk_high,
        cards.usual_risk,
        cards.interests,
        due.due_product_ids,
        due.due_products,
        due.due_on,
        due.due_probabilities,
        cards.suggested_bundle_id,
        cards.bundle_reason,
        cards.talking_points,
        cards.note,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of
    from runs
    left join lacking on true
    left join cards on lacking.unavailable_reason is null
    left join due on cards.customer_id = due.customer_id
    where cards.customer_id is not null or lacking.unavailable_reason is not null

)

select * from shown
