-- New products and partners that a rule in force forbids, or whose list price lies below its floor.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

offered as (

    select product_id
    from {{ source('ml', 'launches') }}
    where run_id = {{ audited_run() }} and is_launched

    union

    select partner_id as product_id
    from {{ source('ml', 'launch_partners') }}
    where run_id = {{ audited_run() }}

),

kept_out as (

    {{ kept_out_by_rules() }}

)

select kept_out.*
from offered
inner join kept_out on offered.product_id = kept_out.product_id
