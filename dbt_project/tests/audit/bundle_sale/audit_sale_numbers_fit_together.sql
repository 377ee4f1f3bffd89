-- Bundles of the sale whose units do not add up, or whose interval or certificate is out of order or not finite.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundle_key,
    units_at_list,
    units_at_price,
    incremental_units
from {{ source('ml', 'bundle_prices') }}
where
    run_id = {{ audited_run() }}
    and (
        abs(units_at_list + diverted_units + pull_forward_units + incremental_units - units_at_price) > 0.000001
        or abs(units_sensitive + units_insensitive - units_at_price) > 0.000001
        or not (margin_low_cents <= margin_high_cents and margin_high_cents < 'infinity')
        or not (objective <= upper_bound + 0.000001 and upper_bound < 'infinity')
        or (not is_discounted and (discount_cents <> 0 or expected_incremental_margin_cents <> 0))
        or trim(reason) = ''
    )
