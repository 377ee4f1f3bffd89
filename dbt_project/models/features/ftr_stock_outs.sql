-- One row per as-of day, product and stretch of days on which it was not on the shelf: counted at none the evening
-- before and not counted at any until its end.
{{ config(indexes=[{'columns': ['as_of', 'product_id', 'out_from_on'], 'unique': true}]) }}

with

-- The last count of an evening holds until the next evening that is counted.
evenings as (

    select distinct on (product_id, warehouse_id, counted_on)
        product_id,
        warehouse_id,
        counted_on,
        available_units
    from {{ ref('stg_raw__stock_levels') }}
    where counted_on <= {{ as_of() }}
    order by product_id asc, warehouse_id asc, counted_on asc, counted_at desc

),

followed as (

    select
        product_id,
        warehouse_id,
        counted_on,
        available_units,
        lead(counted_on, 1, {{ as_of() }} + 1) over (
            partition by product_id, warehouse_id
            order by counted_on
        ) as next_counted_on
    from evenings

),

empty_shelves as (

    select
        product_id,
        warehouse_id,
        coalesce(
            range_agg(daterange(counted_on, next_counted_on)) filter (where available_units = 0), '{}'::datemultirange
        ) as empty_evenings
    from followed
    group by product_id, warehouse_id

),

-- Not on the shelf is what no warehouse has.
everywhere as (

    select
        product_id,
        range_intersect_agg(empty_evenings) as empty_evenings
    from empty_shelves
    group by product_id

),

stretches as (

    select
        product_id,
        unnest(empty_evenings) as stretch
    from everywhere

),

-- The first empty evening ends a day on which there was something to sell.
whole_days as (

    select
        {{ as_of() }} as as_of,
        product_id,
        lower(stretch) + 1 as out_from_on,
        upper(stretch) - 1 as out_through_on
    from stretches
    where upper(stretch) - lower(stretch) >= 2

)

select * from whole_days
