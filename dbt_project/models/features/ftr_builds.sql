-- One row per as-of day whose features are complete: which dbt build made them, when, and through which day the
-- orders go. Built last; it also clears away the days nobody will read again.
{{
    config(
        indexes=[{'columns': ['as_of'], 'unique': true}],
        post_hook='{{ prune_published_days() }}'
    )
}}

-- depends_on: {{ ref('ftr_customer_products') }}
-- depends_on: {{ ref('ftr_product_pairs') }}
-- depends_on: {{ ref('ftr_products') }}
-- depends_on: {{ ref('ftr_customers') }}
-- depends_on: {{ ref('ftr_product_days') }}
-- depends_on: {{ ref('ftr_events') }}
-- depends_on: {{ ref('ftr_feedback') }}
-- depends_on: {{ ref('ftr_given_bundles') }}
-- depends_on: {{ ref('ftr_bundle_reactions') }}
-- depends_on: {{ ref('ftr_lead_times') }}
-- depends_on: {{ ref('ftr_market_signals') }}
-- depends_on: {{ ref('ftr_stock_outs') }}
-- depends_on: {{ ref('int_bundle_weeks_counted') }}

with

baskets as (

    select count(*)::int as baskets
    from {{ ref('ftr_baskets') }}
    where as_of = {{ as_of() }}

),

orders as (

    select max(ordered_on) as data_through
    from {{ ref('stg_raw__orders') }}
    where ordered_on <= {{ as_of() }}

),

described as (

    select
        {{ as_of() }} as as_of,
        '{{ invocation_id }}'::text as dbt_invocation_id,
        clock_timestamp() as built_at,
        orders.data_through,
        baskets.baskets
    from orders
    cross join baskets

)

select * from described
