-- Products proposed for bundles whose stock does not last longer than a slow mover's, or without partners; and partners
-- of products that are not proposed.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    product_id,
    action,
    cover_days,
    partner_ids
from {{ source('ml', 'replenishment') }}
where
    run_id = {{ audited_run() }}
    and (
        (action = 'bundle_instead') <> (cardinality(partner_ids) > 0)
        or (action = 'bundle_instead' and cover_days <= {{ audited_param('slow_mover_days') }}::int)
        or (action = 'bundle_instead' and available_units = 0)
    )
