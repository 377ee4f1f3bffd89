-- Bundles whose prices differ from the sums over their items.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

summed as (

    select
        bundle_id,
        sum(price_cents) as price_cents,
        sum(list_price_cents) as list_price_cents
    from {{ source('ml', 'bundle_items') }}
    where run_id = {{ audited_run() }}
    group by bundle_id

)

select
    bundles.bundle_id,
    bundles.bundle_price_cents,
    summed.price_cents
from {{ source('ml', 'bundles') }} as bundles
left join summed on bundles.bundle_id = summed.bundle_id
where
    bundles.run_id = {{ audited_run() }}
    and bundles.status <> 'abstained'
    and (
        bundles.bundle_price_cents is distinct from summed.price_cents
        or bundles.list_price_cents is distinct from summed.list_price_cents
    )
