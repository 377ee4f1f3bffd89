-- Results of the run that have neither a row nor a reason, or both.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

results as (

    select
        'experiment_readouts' as result,
        (
            select count(*) > 0 from {{ source('ml', 'experiment_readouts') }}
            where run_id = {{ audited_run() }}
        ) as is_there

    union all

    select
        'off_policy_values' as result,
        (
            select count(*) > 0 from {{ source('ml', 'off_policy_values') }}
            where run_id = {{ audited_run() }}
        ) as is_there

    union all

    select
        'drift_checks' as result,
        (
            select count(*) > 0 from {{ source('ml', 'drift_checks') }}
            where run_id = {{ audited_run() }}
        ) as is_there

)

select results.result
from results
left join {{ source('ml', 'unavailable') }} as lacking
    on results.result = lacking.result and lacking.run_id = {{ audited_run() }}
where results.is_there <> (lacking.result is null)
