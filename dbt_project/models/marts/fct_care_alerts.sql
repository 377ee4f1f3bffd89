-- One row per alert about a customer in the published plan, first priority first; and one that says which alerts lack.
with

alerts as (

    select * from {{ source('ml', 'care_alerts') }}
    where run_id = {{ published_run('customer_care') }}

),

lacking as (

    {{ unavailable('customer_care', 'care_alerts') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('customer_care') }}

),

told as (

    select
        customer_id,
        kind,
        subject,
        product_id,
        category,
        priority,
        at_stake_cents,
        is_within_cap,
        detail,
        null::text as unavailable_reason
    from alerts

    union all

    select
        null::text as customer_id,
        null::text as kind,
        null::text as subject,
        null::text as product_id,
        null::text as category,
        null::integer as priority,
        null::double precision as at_stake_cents,
        null::boolean as is_within_cap,
        null::text as detail,
        unavailable_reason
    from lacking

),

shown as (

    select
        told.customer_id,
        told.kind as alert_kind,
        told.subject,
        told.product_id,
        products.title,
        told.category,
        told.priority,
        {{ decimal_money('told.at_stake_cents') }} as at_stake,
        told.is_within_cap,
        told.detail,
        told.unavailable_reason,
        runs.run_id,
        runs.as_of
    from told
    cross join runs
    left join {{ ref('dim_products') }} as products on told.product_id = products.product_id

)

select * from shown
