-- I1: what a delivery held is accepted, a duplicate or in quarantine, and the quarantine holds as many rows as it says.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

deliveries as (

    select * from {{ source('ops', 'load_manifest') }}

),

set_aside as (

    select
        load_id,
        count(*) as records
    from {{ source('ops', 'quarantine') }}
    group by load_id

)

select
    deliveries.load_id,
    deliveries.rows_in,
    deliveries.rows_accepted,
    deliveries.rows_duplicate,
    deliveries.rows_quarantined,
    set_aside.records as records_in_quarantine
from deliveries
left join set_aside on deliveries.load_id = set_aside.load_id
where
    deliveries.status = 'accepted'
    and (
        deliveries.rows_in <> deliveries.rows_accepted + deliveries.rows_duplicate + deliveries.rows_quarantined
        or deliveries.rows_quarantined <> coalesce(set_aside.records, 0)
    )
