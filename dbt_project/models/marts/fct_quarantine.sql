-- One row per record that was set aside at loading, with the reason; what the record said stays with the loader.
with

quarantine as (

    select * from {{ source('ops', 'quarantine') }}

),

deliveries as (

    select * from {{ source('ops', 'load_manifest') }}

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
        quarantine.quarantined_at
    from quarantine
    left join deliveries on quarantine.load_id = deliveries.load_id

)

select * from shown
