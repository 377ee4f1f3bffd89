-- Items that cost nothing, or more than outside the bundle.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundle_id,
    product_id,
    price_cents,
    list_price_cents
from {{ source('ml', 'bundle_items') }}
where run_id = {{ audited_run() }} and not (price_cents > 0 and price_cents <= list_price_cents)
