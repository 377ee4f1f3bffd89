-- Read-outs and valuations that were refused and say a number all the same, or give none without saying why.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    'experiment_readouts' as result,
    readouts.measure || ' of ' || readouts.arm as about
from {{ source('ml', 'experiment_readouts') }} as readouts
where
    readouts.run_id = {{ audited_run() }}
    and case
        when readouts.refusal_reason is null
            then num_nulls(readouts.mean_cents, readouts.difference_cents, readouts.adjusted_difference_cents) > 0
        else
            readouts.refusal_reason = ''
            or num_nonnulls(
                readouts.mean_cents, readouts.control_mean_cents, readouts.difference_cents, readouts.uplift_share,
                readouts.adjusted_difference_cents, readouts.adjusted_uplift_share
            ) > 0
    end

union all

select
    'off_policy_values' as result,
    valued.target || ' ' || valued.reward || ' ' || valued.estimator as about
from {{ source('ml', 'off_policy_values') }} as valued
where
    valued.run_id = {{ audited_run() }}
    and case
        when valued.refusal_reason is null then valued.value is null
        else valued.refusal_reason = '' or num_nonnulls(valued.value, valued.low, valued.high) > 0
    end
