-- Checks whose verdict does not follow from value, limit and probability.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    kind,
    subject,
    verdict
from {{ source('ml', 'drift_checks') }}
where
    run_id = {{ audited_run() }}
    and verdict <> case
        when value is null then 'not_judged'
        when value > limit_value and (measure = 'age_days' or check_p_value < 0.001) then 'drifted'
        else 'steady'
    end
