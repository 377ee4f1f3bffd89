-- One row per promotion of a product as it stands now: a view, so that what was just announced is not promoted twice.
with

promotions as (

    select * from {{ ref('stg_raw__promotions') }}

)

select * from promotions
