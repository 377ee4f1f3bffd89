-- Forecasts below 0, without end, or with quantiles out of order.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    product_id,
    forecast_on,
    base_units,
    bundle_units,
    q10_units,
    q50_units,
    q90_units
from {{ source('ml', 'demand_forecasts') }}
where
    run_id = {{ audited_run() }}
    and (
        not (base_units >= 0 and base_units < 'infinity')
        or not (bundle_units >= 0 and bundle_units < 'infinity')
        or not (q10_units >= 0 and q10_units <= q50_units and q50_units <= q90_units and q90_units < 'infinity')
        or forecast_on <= {{ audited_as_of() }}
    )
