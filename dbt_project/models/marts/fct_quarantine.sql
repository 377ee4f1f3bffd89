-- One row per record that was set aside at loading, with the reason and whether it has landed since; what the record
-- said stays with the loader.
with

quarantine as (

    select * from {{ source('ops', 'quarantine') }}

),

deliveries as (

    select * from {{ source('ops', 'load_manifest') }}

),

replays as (

    select * from {{ source('ops', 'replays') }}

),

shown as (

    select
        quarantine.quarantine_id,
        deliveries.source as delivered_by,
        quarantine.table_name,
        deliveries.file_name,
        quarantine.record_number,
        quarantine.reason,
        quarantine.column_name,
        quarantine.load_id,
        quarantine.quarantined_at,
        replays.quarantine_id is not null as is_replayed,
        replays.outcome as replay_outcome,
        replays.is_mended,
        replays.load_id as replay_load_id,
        replays.replayed_at
    from quarantine
    left join deliveries on quarantine.load_id = deliveries.load_id
    left join replays on quarantine.quarantine_id = replays.quarantine_id

)

select * from shown
