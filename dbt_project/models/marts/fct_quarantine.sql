-- One row per record that was set aside at loading, however often it came, with the reason and whether it has landed
-- since; what the record said stays with the loader.
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

-- An export that is delivered whole each night brings its bad records each night, word for word.
numbered as (

    select
        quarantine_id,
        load_id,
        table_name,
        record_number,
        reason,
        column_name,
        quarantined_at,
        max(quarantine_id) over record as record_id,
        min(quarantined_at) over record as first_seen_at,
        count(*) over record as times_seen
    from quarantine
    window record as (partition by table_name, reason, raw_record collate "C")

),

-- Where one of them has landed, mended or as it came, the record has.
replayed as (

    select distinct on (numbered.record_id)
        numbered.record_id,
        replays.outcome,
        replays.is_mended,
        replays.load_id,
        replays.replayed_at
    from numbered
    inner join replays on numbered.quarantine_id = replays.quarantine_id
    order by
        numbered.record_id asc,
        replays.outcome asc,
        numbered.quarantine_id asc

),

shown as (

    select
        numbered.quarantine_id,
        deliveries.source as delivered_by,
        numbered.table_name,
        deliveries.file_name,
        numbered.record_number,
        numbered.reason,
        numbered.column_name,
        numbered.load_id,
        numbered.quarantined_at,
        replayed.record_id is not null as is_replayed,
        replayed.outcome as replay_outcome,
        replayed.is_mended,
        replayed.load_id as replay_load_id,
        replayed.replayed_at,
        numbered.first_seen_at,
        numbered.times_seen
    from numbered
    left join deliveries on numbered.load_id = deliveries.load_id
    left join replayed on numbered.record_id = replayed.record_id
    where numbered.quarantine_id = numbered.record_id

)

select * from shown
