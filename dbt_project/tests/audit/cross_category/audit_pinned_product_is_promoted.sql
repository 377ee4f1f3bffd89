-- Pins that the run says it obeyed, of products that are not promoted although it promotes others.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promoted as (

    select
        count(*) as products,
        coalesce(array_agg(product_id), '{}') as product_ids
    from {{ source('ml', 'promotion_products') }}
    where run_id = {{ audited_run() }}

)

select rules.rule_id
from {{ source('ml', 'applied_rules') }} as rules
cross join promoted
where
    rules.run_id = {{ audited_run() }}
    and rules.is_applied
    and rules.kind = 'pin'
    and promoted.products > 0
    and not rules.product_id = any(promoted.product_ids)
