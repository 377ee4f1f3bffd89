-- Bundles that claim to be the customer's best, and say what kept the customer's best away.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundle_id,
    held_back_by,
    status
from {{ source('ml', 'bundles') }}
where run_id = {{ audited_run() }} and held_back_by is not null and status <> 'feasible'
