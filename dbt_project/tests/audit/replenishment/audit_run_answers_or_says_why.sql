-- A run without forecasts or without lines that does not say what it lacked, or that says so and has them.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

results as (

    select
        'demand_forecasts' as result,
        count(*) as written
    from {{ source('ml', 'demand_forecasts') }}
    where run_id = {{ audited_run() }}

    union all

    select
        'replenishment' as result,
        count(*) as written
    from {{ source('ml', 'replenishment') }}
    where run_id = {{ audited_run() }}

)

select
    results.result,
    results.written,
    lacking.reason
from results
left join {{ source('ml', 'unavailable') }} as lacking
    on results.result = lacking.result and lacking.run_id = {{ audited_run() }}
where (results.written > 0) = (lacking.result is not null)
