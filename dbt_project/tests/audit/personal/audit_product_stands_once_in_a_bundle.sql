-- Bundles that hold a product twice.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundle_id,
    product_id
from {{ source('ml', 'bundle_items') }}
where run_id = {{ audited_run() }}
group by bundle_id, product_id
having count(*) > 1
