-- One row per product of the published replenishment plan: reorder, sell off or leave; or one that says why none.
with

lines as (

    select * from {{ source('ml', 'replenishment') }}
    where run_id = {{ published_run('replenishment') }}

),

unavailable as (

    {{ unavailable('replenishment', 'replenishment') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('replenishment') }}

),

-- Without either there is no published plan; with a reason there is one row of it.
answered as (

    select
        runs.run_id,
        runs.as_of,
        unavailable.unavailable_reason
    from runs
    left join unavailable on true

),

shown as (

    select
        lines.product_id,
        products.title,
        products.category,
        lines.action,
        lines.order_units,
        lines.partner_ids,
        lines.reason,
        lines.available_units,
        lines.cover_days,
        lines.daily_units,
        lines.bundle_units_per_day,
        lines.lead_days,
        lines.lead_note,
        lines.lead_demand_units,
        lines.reorder_point_units,
        lines.order_up_to_units,
        lines.demand_class,
        lines.model,
        answered.unavailable_reason,
        answered.run_id,
        answered.as_of
    from answered
    left join lines on answered.run_id = lines.run_id
    left join products on lines.product_id = products.product_id
    where lines.product_id is not null or answered.unavailable_reason is not null

)

select * from shown
