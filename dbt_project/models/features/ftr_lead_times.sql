-- One row per as-of day and product known by then whose supplier's delivery time the shop knows.
{{ config(indexes=[{'columns': ['as_of', 'product_id'], 'unique': true}]) }}

with

lead_times as (

    select * from {{ ref('stg_raw__lead_times') }}

),

products as (

    select product_id from {{ ref('ftr_products') }}
    where as_of = {{ as_of() }}

),

dated as (

    select
        {{ as_of() }} as as_of,
        lead_times.product_id,
        lead_times.lead_days,
        lead_times.supplier
    from lead_times
    inner join products on lead_times.product_id = products.product_id

)

select * from dated
