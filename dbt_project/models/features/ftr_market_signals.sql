-- One row per as-of day and signal from outside the shop about a day until then.
{{ config(indexes=[{'columns': ['as_of', 'signal_id'], 'unique': true}]) }}

with

signals as (

    select * from {{ ref('stg_raw__market_signals') }}
    where signal_on <= {{ as_of() }}

),

dated as (

    select
        {{ as_of() }} as as_of,
        signal_id,
        kind,
        category,
        product_id,
        signal_on,
        signal_value
    from signals

)

select * from dated
