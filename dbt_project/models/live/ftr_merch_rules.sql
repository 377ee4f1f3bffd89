-- One row per rule of a merchandiser as it stands now: a view, so that the next run obeys what was just written.
with

rules as (

    select * from {{ ref('stg_raw__merch_rules') }}

)

select * from rules
