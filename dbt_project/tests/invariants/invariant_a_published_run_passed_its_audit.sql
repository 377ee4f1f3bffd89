-- I10: the last audit of each published run has checks, and every one of them passed.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

checks as (

    select
        run_id,
        is_passed,
        epoch = max(epoch) over (partition by run_id) as is_last
    from {{ source('ops', 'audits') }}

),

passed as (

    select
        run_id,
        bool_and(is_passed) as is_passed
    from checks
    where is_last
    group by run_id

)

select
    published.scope,
    published.run_id
from {{ source('ops', 'published') }} as published
left join passed on published.run_id = passed.run_id
where passed.is_passed is distinct from true
