-- Products in a customer's bundle, or in one that is listed for everybody, that an obeyed rule keeps out: a veto, an
-- excluded category, or a floor that the list price does not reach.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

held as (

    select
        bundle_id as bundle_name,
        product_id
    from {{ source('ml', 'bundle_items') }}
    where run_id = {{ audited_run() }}
    union all
    select
        'listed ' || bundle_rank::text as bundle_name,
        unnest(product_ids) as product_id
    from {{ source('ml', 'catalogue_bundles') }}
    where run_id = {{ audited_run() }}

),

kept_out as (

    {{ kept_out_by_rules() }}

)

select
    held.bundle_name,
    held.product_id,
    kept_out.rule_id
from held
inner join kept_out on held.product_id = kept_out.product_id
