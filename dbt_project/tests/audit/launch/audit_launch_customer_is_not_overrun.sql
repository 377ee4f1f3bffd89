-- Customers who are shown more new products than exploration may cost one of them.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    customer_id,
    count(*) as new_products
from {{ source('ml', 'launch_audience') }}
where run_id = {{ audited_run() }}
group by customer_id
having count(*) > 2
