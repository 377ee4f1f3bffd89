-- One row per incident: a task that failed for good, a run that is late, an invariant that does not hold, a
-- day without orders.
with

incidents as (

    select * from {{ source('ops', 'incidents') }}

),

shown as (

    select
        incident_id,
        kind,
        subject,
        detail,
        as_of,
        started_by,
        noted_at
    from incidents

)

select * from shown
