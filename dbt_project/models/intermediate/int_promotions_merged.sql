-- One row per product ever promoted, with all days on which a promotion was in force. Holds for any day.
with

promotions as (

    select * from {{ ref('stg_raw__promotions') }}

),

merged as (

    select
        product_id,
        range_agg(daterange(starts_on, ends_on, '[]')) as promoted_days
    from promotions
    group by product_id

)

select * from merged
