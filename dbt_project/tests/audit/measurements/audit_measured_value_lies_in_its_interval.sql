-- Numbers outside their 95 % interval, or with one end of it missing.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

numbers as (

    select
        'experiment_readouts' as result,
        readouts.measure || ' of ' || readouts.arm as about,
        unnest(
            array[
                readouts.difference_cents, readouts.uplift_share, readouts.adjusted_difference_cents,
                readouts.adjusted_uplift_share
            ]
        ) as value,
        unnest(
            array[
                readouts.difference_low_cents, readouts.uplift_low_share, readouts.adjusted_difference_low_cents,
                readouts.adjusted_uplift_low_share
            ]
        ) as low,
        unnest(
            array[
                readouts.difference_high_cents, readouts.uplift_high_share, readouts.adjusted_difference_high_cents,
                readouts.adjusted_uplift_high_share
            ]
        ) as high
    from {{ source('ml', 'experiment_readouts') }} as readouts
    where readouts.run_id = {{ audited_run() }}

    union all

    select
        'off_policy_values' as result,
        valued.target || ' ' || valued.reward || ' ' || valued.estimator as about,
        valued.value,
        valued.low,
        valued.high
    from {{ source('ml', 'off_policy_values') }} as valued
    where valued.run_id = {{ audited_run() }}

)

select
    result,
    about
from numbers
where
    (value is null) <> (low is null)
    or (value is null) <> (high is null)
    or not coalesce(value between low and high, true)
