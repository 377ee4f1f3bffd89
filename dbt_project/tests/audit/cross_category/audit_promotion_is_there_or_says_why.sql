-- Results of the run that are empty without a reason, or full with one.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

counted as (

    select
        'promotion_products' as result,
        count(*) as result_rows
    from {{ source('ml', 'promotion_products') }}
    where run_id = {{ audited_run() }}

    union all

    select
        'promotion_invitations' as result,
        count(*) as result_rows
    from {{ source('ml', 'promotion_invitations') }}
    where run_id = {{ audited_run() }}

)

select counted.result
from counted
left join {{ source('ml', 'unavailable') }} as lacking
    on counted.result = lacking.result and lacking.run_id = {{ audited_run() }}
where (counted.result_rows = 0) = (lacking.result is null)
