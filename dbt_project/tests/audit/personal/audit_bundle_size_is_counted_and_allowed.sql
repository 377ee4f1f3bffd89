-- Bundles whose size is not the number of their items, or not 2 to 8; an abstention has none.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

counted as (

    select
        bundle_id,
        count(*) as items
    from {{ source('ml', 'bundle_items') }}
    where run_id = {{ audited_run() }}
    group by bundle_id

)

select
    bundles.bundle_id,
    bundles.bundle_size,
    counted.items
from {{ source('ml', 'bundles') }} as bundles
left join counted on bundles.bundle_id = counted.bundle_id
where
    bundles.run_id = {{ audited_run() }}
    and (
        bundles.bundle_size <> coalesce(counted.items, 0)
        or (bundles.status = 'abstained' and bundles.bundle_size <> 0)
        or (bundles.status <> 'abstained' and bundles.bundle_size not between 2 and 8)
    )
