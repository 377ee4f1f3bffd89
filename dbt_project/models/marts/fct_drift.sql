-- One row per check.
with

checks as (

    select * from {{ source('ml', 'drift_checks') }}
    where run_id = {{ published_run('measurements') }}

),

lacking as (

    {{ unavailable('measurements', 'drift_checks') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('measurements') }}

),

shown as (

    select
        checks.kind,
        checks.subject,
        checks.measure,
        checks.value,
        checks.limit_value,
        checks.check_p_value,
        checks.reference_rows,
        checks.now_rows,
        checks.reference_from,
        checks.reference_to,
        checks.now_from,
        checks.now_to,
        checks.verdict,
        checks.reason,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of,
        runs.mlflow_run_id
    from runs
    left join lacking on true
    left join checks on lacking.unavailable_reason is null
    where checks.kind is not null or lacking.unavailable_reason is not null

)

select * from shown
