-- One row per measure and arm of the experiment.
with

readouts as (

    select * from {{ source('ml', 'experiment_readouts') }}
    where run_id = {{ published_run('measurements') }}

),

lacking as (

    {{ unavailable('measurements', 'experiment_readouts') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('measurements') }}

),

shown as (

    select
        readouts.measure,
        readouts.arm,
        readouts.control,
        readouts.customers,
        readouts.control_customers,
        readouts.crossed_customers,
        readouts.planned_share,
        readouts.sample_ratio_p,
        readouts.exposed_from,
        readouts.exposed_to,
        {{ decimal_money('readouts.mean_cents') }} as mean,
        {{ decimal_money('readouts.control_mean_cents') }} as control_mean,
        {{ decimal_money('readouts.difference_cents') }} as difference,
        {{ decimal_money('readouts.difference_low_cents') }} as difference_low,
        {{ decimal_money('readouts.difference_high_cents') }} as difference_high,
        readouts.uplift_share,
        readouts.uplift_low_share,
        readouts.uplift_high_share,
        {{ decimal_money('readouts.adjusted_difference_cents') }} as adjusted_difference,
        {{ decimal_money('readouts.adjusted_difference_low_cents') }} as adjusted_difference_low,
        {{ decimal_money('readouts.adjusted_difference_high_cents') }} as adjusted_difference_high,
        readouts.adjusted_uplift_share,
        readouts.adjusted_uplift_low_share,
        readouts.adjusted_uplift_high_share,
        readouts.explained_share,
        readouts.refusal_reason,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of,
        runs.mlflow_run_id
    from runs
    left join lacking on true
    left join readouts on lacking.unavailable_reason is null
    where readouts.measure is not null or lacking.unavailable_reason is not null

)

select * from shown
