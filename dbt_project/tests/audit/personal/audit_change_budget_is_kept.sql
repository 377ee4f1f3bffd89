-- One row where more of the bundles that people read now are gone than the run may replace. Which are gone is seen
-- by comparing the products, not by what the run says it kept. What the run declares as forced comes out of the budget
-- first and may exceed it. Those that hold a product of which every unit was promised to others do not count, nor those
-- of a customer whose bundles had to be fewer for the share of discovery.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

audited as (

    select * from {{ source('ops', 'runs') }}
    where run_id = {{ audited_run() }}

),

held as (

    select
        bundles.run_id,
        bundles.customer_id,
        bundles.bundle_id,
        array_agg(items.product_id order by items.product_id) as product_ids
    from {{ source('ml', 'bundles') }} as bundles
    inner join {{ source('ml', 'bundle_items') }} as items
        on bundles.run_id = items.run_id and bundles.bundle_id = items.bundle_id
    where
        bundles.run_id = {{ audited_run() }}
        or bundles.run_id = (
            select published.run_id
            from {{ source('ops', 'published') }} as published
            inner join audited on published.scope = audited.scope
        )
    group by bundles.run_id, bundles.customer_id, bundles.bundle_id

),

sold_out as (

    select coalesce(array_agg(product_id), '{}') as product_ids
    from {{ source('ml', 'shadow_prices') }}
    where run_id = {{ audited_run() }} and promised_units >= capacity_units

),

shortened as (

    select coalesce(array_agg(customer_id), '{}') as customer_ids
    from {{ source('ml', 'bundles') }}
    where run_id = {{ audited_run() }} and lost_to @> array['discovery']

),

counted as (

    select
        count(*) as live_bundles,
        count(*) filter (
            where
            offered.bundle_id is null
            and not live.product_ids && sold_out.product_ids
            and live.customer_id <> all(shortened.customer_ids)
        ) as gone_bundles
    from held as live
    cross join sold_out
    cross join shortened
    left join held as offered
        on
            live.customer_id = offered.customer_id
            and live.product_ids = offered.product_ids
            and offered.run_id = {{ audited_run() }}
    where live.run_id <> {{ audited_run() }}

)

select
    counted.live_bundles,
    counted.gone_bundles,
    audited.counts ->> 'forced_replacements' as forced_bundles,
    audited.params ->> 'max_change_share' as max_change_share
from counted
cross join audited
where
    (audited.params ->> 'max_change_share')::numeric < 1
    and counted.gone_bundles > greatest(
        floor((audited.params ->> 'max_change_share')::numeric * counted.live_bundles),
        (audited.counts ->> 'forced_replacements')::numeric
    )
