-- Probabilities that are none.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select customer_id
from {{ source('ml', 'bundles') }}
where run_id = {{ audited_run() }} and not coalesce(joint_probability between 0 and 1, false)

union all

select customer_id
from {{ source('ml', 'candidates') }}
where run_id = {{ audited_run() }} and not coalesce(preference between 0 and 1, false)

union all

select bundle_id
from {{ source('ml', 'bundle_items') }}
where run_id = {{ audited_run() }} and not coalesce(preference between 0 and 1, false)
