-- Items of a bundle that is not there.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    items.bundle_id,
    items.product_id
from {{ source('ml', 'bundle_items') }} as items
left join {{ source('ml', 'bundles') }} as bundles
    on items.run_id = bundles.run_id and items.bundle_id = bundles.bundle_id
where items.run_id = {{ audited_run() }} and bundles.bundle_id is null
