-- Risks that are none, or lie outside their interval.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    customer_id,
    lapse_risk
from {{ source('ml', 'customer_cards') }}
where
    run_id = {{ audited_run() }}
    and lapse_risk is not null
    and not coalesce(
        lapse_risk between lapse_risk_low and lapse_risk_high
        and lapse_risk_low >= 0
        and lapse_risk_high <= 1
        and usual_risk between 0 and 1,
        false
    )
