-- Orders that are not those of the reorder point: ordered above it without being pinned, due and not ordered, not
-- filled up to the level, or of another stock than was counted.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

lines as (

    select * from {{ source('ml', 'replenishment') }}
    where run_id = {{ audited_run() }}

),

counted as (

    select
        product_id,
        available_units
    from {{ ref('ftr_products') }}
    where as_of = {{ audited_as_of() }}

),

pinned as (

    select product_id
    from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }} and kind = 'pin' and is_applied

),

judged as (

    select
        lines.product_id,
        lines.action,
        lines.available_units,
        lines.reorder_point_units,
        lines.order_up_to_units,
        lines.order_units,
        counted.available_units as counted_units,
        pinned.product_id is not null as is_pinned
    from lines
    left join counted on lines.product_id = counted.product_id
    left join pinned on lines.product_id = pinned.product_id

)

select * from judged
where
    available_units is distinct from counted_units
    or (action = 'reorder') <> (order_units > 0)
    or (
        action = 'reorder'
        and (
            order_up_to_units is null
            or order_units <> order_up_to_units - available_units
            or (available_units > reorder_point_units and not is_pinned)
        )
    )
    or (action <> 'reorder' and available_units <= reorder_point_units and order_up_to_units > available_units)
