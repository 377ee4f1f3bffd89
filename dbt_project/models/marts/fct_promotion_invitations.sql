-- One row per customer whom the published promotion invites, best first; one that says why, where nobody is invited.
with

invited as (

    select * from {{ source('ml', 'promotion_invitations') }}
    where run_id = {{ published_run('cross_category') }}

),

named as (

    select
        invited.customer_id,
        string_agg(coalesce(products.title, entries.product_id), ' + ' order by entries.place) as products
    from invited
    cross join lateral unnest(invited.product_ids) with ordinality as entries (product_id, place)
    left join {{ ref('dim_products') }} as products on entries.product_id = products.product_id
    group by invited.customer_id

),

lacking as (

    {{ unavailable('cross_category', 'promotion_invitations') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('cross_category') }}

),

shown as (

    select
        invited.customer_id,
        invited.invitation_rank,
        named.products,
        invited.product_ids,
        invited.probability,
        {{ decimal_money('invited.expected_margin_cents') }} as expected_margin,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of
    from runs
    left join lacking on true
    left join invited on lacking.unavailable_reason is null
    left join named on invited.customer_id = named.customer_id
    where invited.customer_id is not null or lacking.unavailable_reason is not null

)

select * from shown
