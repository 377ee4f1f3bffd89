-- Rows without a reason, probabilities that are none, and what is not marked as exploration.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select product_id
from {{ source('ml', 'launches') }}
where
    run_id = {{ audited_run() }}
    and (
        trim(reason) = ''
        or not is_exploration
        or not coalesce(conversion between conversion_low and conversion_high and conversion between 0 and 1, true)
    )

union all

select product_id
from {{ source('ml', 'launch_audience') }}
where
    run_id = {{ audited_run() }}
    and (
        trim(reason) = ''
        or not is_exploration
        or not coalesce(expected_probability between 0 and 1, true)
        or not interest > 0
    )

union all

select product_id
from {{ source('ml', 'launch_partners') }}
where run_id = {{ audited_run() }} and trim(reason) = ''
