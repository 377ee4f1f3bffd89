-- Abstentions without a reason, or beside another row of the same customer.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    customer_id,
    count(*) as bundle_rows
from {{ source('ml', 'bundles') }}
where run_id = {{ audited_run() }}
group by customer_id
having
    bool_or(status = 'abstained')
    and (count(*) > 1 or bool_or(coalesce(trim(fallback_reason), '') = ''))
