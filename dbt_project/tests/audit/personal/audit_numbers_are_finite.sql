-- Bundles with a number that is missing, NaN or infinite.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select bundle_id
from {{ source('ml', 'bundles') }}
where
    run_id = {{ audited_run() }}
    and not coalesce(
        abs(objective) < 'infinity'
        and abs(upper_bound) < 'infinity'
        and abs(gap_pct) < 'infinity'
        and abs(expected_revenue_cents) < 'infinity'
        and abs(coalesce(expected_margin_cents, 0)) < 'infinity'
        and list_price_cents >= 0
        and bundle_price_cents >= 0,
        false
    )
