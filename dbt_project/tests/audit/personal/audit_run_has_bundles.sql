-- A run without a single row has nothing to publish.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select count(*) as bundles
from {{ source('ml', 'bundles') }}
where run_id = {{ audited_run() }}
having count(*) = 0
