-- Products that stand in two bundles of the sale, or twice in one: a product set has one price, for everybody.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    product_id,
    count(*) as bundles
from {{ source('ml', 'bundle_price_items') }}
where run_id = {{ audited_run() }}
group by product_id
having count(*) > 1
