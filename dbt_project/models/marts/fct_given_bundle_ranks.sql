-- One row per customer and bundle of the shop's own: its rank in the published run, or why it has none.
with

ranks as (

    select * from {{ source('ml', 'given_bundle_ranks') }}
    where run_id = {{ published_run() }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run() }}

),

shown as (

    select
        ranks.customer_id,
        ranks.given_bundle_id,
        ranks.bundle_rank,
        ranks.objective,
        ranks.joint_probability,
        {{ decimal_money('ranks.list_price_cents') }} as list_price,
        ranks.unranked_reason,
        ranks.run_id,
        runs.as_of
    from ranks
    cross join runs

)

select * from shown
