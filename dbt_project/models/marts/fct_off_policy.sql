-- One row per target policy, reward and estimator.
with

valued as (

    select * from {{ source('ml', 'off_policy_values') }}
    where run_id = {{ published_run('measurements') }}

),

lacking as (

    {{ unavailable('measurements', 'off_policy_values') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('measurements') }}

),

shown as (

    select
        valued.target,
        valued.reward,
        valued.estimator,
        valued.logged_policies,
        valued.log_from,
        valued.log_to,
        valued.impressions,
        valued.left_out_impressions,
        valued.customers,
        valued.observed,
        valued.effective_impressions,
        valued.mean_weight,
        valued.max_weight,
        valued.max_weight_share,
        valued.unseen_share,
        valued.value,
        valued.low,
        valued.high,
        valued.refusal_reason,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of,
        runs.mlflow_run_id
    from runs
    left join lacking on true
    left join valued on lacking.unavailable_reason is null
    where valued.target is not null or lacking.unavailable_reason is not null

)

select * from shown
