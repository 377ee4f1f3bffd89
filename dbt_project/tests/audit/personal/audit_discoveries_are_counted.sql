-- Bundles that say they hold another number of products new to the customer than of items that nobody proposed because
-- the customer bought them.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundles.bundle_id,
    bundles.discovery_products,
    count(*) filter (where not items.sources @> array['bought']) as counted_products
from {{ source('ml', 'bundles') }} as bundles
inner join {{ source('ml', 'bundle_items') }} as items
    on bundles.run_id = items.run_id and bundles.bundle_id = items.bundle_id
where bundles.run_id = {{ audited_run() }}
group by bundles.bundle_id, bundles.discovery_products
having
    bundles.discovery_products is distinct from count(*) filter (where not items.sources @> array['bought'])
