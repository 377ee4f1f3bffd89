-- Bundles without a reason in words.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select bundle_id
from {{ source('ml', 'bundles') }}
where run_id = {{ audited_run() }} and status <> 'abstained' and coalesce(trim(reason), '') = ''
