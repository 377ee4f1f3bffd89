-- One row per delivered file: whether it landed, why not, what became of its records, and what was odd in it.
with

deliveries as (

    select * from {{ source('ops', 'load_manifest') }}

),

shown as (

    select
        load_id,
        source as delivered_by,
        table_name,
        file_name,
        status,
        reason,
        rows_in,
        rows_accepted,
        rows_duplicate,
        rows_quarantined,
        notes,
        loaded_through,
        loaded_at
    from deliveries

)

select * from shown
