-- Products shown to more customers than the form allows for one product, and runs that show more than for all.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

audience as (

    select * from {{ source('ml', 'launch_audience') }}
    where run_id = {{ audited_run() }}

)

select
    product_id,
    count(*) as impressions
from audience
group by product_id
having count(*) > {{ audited_param('launch_audience') }}::bigint

union all

select
    'all new products' as product_id,
    count(*) as impressions
from audience
having count(*) > {{ audited_param('launch_impressions') }}::bigint
