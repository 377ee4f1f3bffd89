-- Features of this day that carry a date after it.
select
    'ftr_baskets' as feature_table,
    basket_id as row_key
from {{ ref('ftr_baskets') }}
where as_of = {{ as_of() }} and basket_on > as_of

union all

select
    'ftr_customer_products' as feature_table,
    customer_id || ' ' || product_id as row_key
from {{ ref('ftr_customer_products') }}
where as_of = {{ as_of() }} and last_on > as_of

union all

select
    'ftr_products' as feature_table,
    product_id as row_key
from {{ ref('ftr_products') }}
where as_of = {{ as_of() }} and greatest(last_sold_on, launched_on) > as_of

union all

select
    'ftr_product_days' as feature_table,
    product_id || ' ' || sold_on as row_key
from {{ ref('ftr_product_days') }}
where as_of = {{ as_of() }} and sold_on > as_of

union all

select
    'ftr_market_signals' as feature_table,
    signal_id as row_key
from {{ ref('ftr_market_signals') }}
where as_of = {{ as_of() }} and signal_on > as_of

union all

select
    'ftr_stock_outs' as feature_table,
    product_id || ' ' || out_from_on as row_key
from {{ ref('ftr_stock_outs') }}
where as_of = {{ as_of() }} and out_through_on > as_of

union all

select
    'ftr_feedback' as feature_table,
    feedback_id as row_key
from {{ ref('ftr_feedback') }}
where as_of = {{ as_of() }} and occurred_on > as_of

union all

select
    'ftr_bundle_reactions' as feature_table,
    customer_id || ' ' || product_id as row_key
from {{ ref('ftr_bundle_reactions') }}
where as_of = {{ as_of() }} and reacted_on[cardinality(reacted_on)] > as_of
