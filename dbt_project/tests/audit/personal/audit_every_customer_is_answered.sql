-- Customers with candidates but neither a bundle nor a reason why not.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select distinct candidates.customer_id
from {{ source('ml', 'candidates') }} as candidates
left join {{ source('ml', 'bundles') }} as bundles
    on candidates.run_id = bundles.run_id and candidates.customer_id = bundles.customer_id
where candidates.run_id = {{ audited_run() }} and bundles.bundle_id is null
