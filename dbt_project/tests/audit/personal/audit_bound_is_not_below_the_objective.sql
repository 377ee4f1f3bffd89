-- Certificates that claim less than was reached.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundle_id,
    objective,
    upper_bound
from {{ source('ml', 'bundles') }}
where
    run_id = {{ audited_run() }}
    and status <> 'abstained'
    and not upper_bound >= objective - 1e-9 * greatest(abs(objective), 1)
