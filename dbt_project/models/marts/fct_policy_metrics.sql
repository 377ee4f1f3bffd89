-- One row per training run, policy, metric and variant: how well each bundle policy did on baskets it had not seen.
with

metrics as (

    select * from {{ source('ml', 'policy_metrics') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where scope = 'models' and status <> 'failed'

),

ranked as (

    select
        metrics.policy,
        metrics.metric,
        metrics.variant,
        metrics.value,
        metrics.low,
        metrics.high,
        metrics.compared_with,
        metrics.difference,
        metrics.difference_low,
        metrics.difference_high,
        metrics.customers,
        metrics.window_from,
        metrics.window_to,
        dense_rank() over (order by runs.as_of desc, metrics.run_id desc) = 1 as is_latest,
        metrics.run_id,
        runs.as_of,
        runs.git_commit,
        runs.started_by,
        runs.mlflow_run_id
    from metrics
    inner join runs on metrics.run_id = runs.run_id

)

select * from ranked
