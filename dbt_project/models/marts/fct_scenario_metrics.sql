-- One row per number by which the published run of a scenario is judged, beside the rule that a shop uses today.
with

metrics as (

    select * from {{ source('ml', 'scenario_metrics') }}
    where run_id in (select published.run_id from {{ source('ops', 'published') }} as published)

),

runs as (

    select * from {{ ref('fct_runs') }}

),

shown as (

    select
        runs.scope as scenario,
        metrics.kpi,
        metrics.variant,
        metrics.value,
        metrics.low,
        metrics.high,
        metrics.unit,
        metrics.peer,
        metrics.peer_value,
        metrics.difference,
        metrics.difference_low,
        metrics.difference_high,
        metrics.cases,
        metrics.judged_on,
        metrics.run_id,
        runs.as_of,
        runs.mlflow_run_id
    from metrics
    inner join runs on metrics.run_id = runs.run_id

)

select * from shown
