-- Bundles without a product that an obeyed rule pins, or without any of those of which the rules want one.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

bundles as (

    select
        bundle_id,
        array_agg(product_id) as product_ids
    from {{ source('ml', 'bundle_items') }}
    where run_id = {{ audited_run() }}
    group by bundle_id

),

wanted as (

    select
        kind,
        array_agg(product_id) as product_ids
    from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }} and is_applied and kind in ('pin', 'must_include')
    group by kind

)

select
    bundles.bundle_id,
    wanted.kind,
    wanted.product_ids
from bundles
cross join wanted
where
    (wanted.kind = 'pin' and not bundles.product_ids @> wanted.product_ids)
    or (wanted.kind = 'must_include' and not bundles.product_ids && wanted.product_ids)
