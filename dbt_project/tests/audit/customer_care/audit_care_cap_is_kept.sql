-- Alerts that reach the staff although their priority is beyond the daily cap, or the other way round.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    customer_id,
    kind,
    priority
from {{ source('ml', 'care_alerts') }}
where
    run_id = {{ audited_run() }}
    and is_within_cap <> (priority <= {{ audited_param('alerts_per_day') }}::bigint)
