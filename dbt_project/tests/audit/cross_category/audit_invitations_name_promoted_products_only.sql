-- Invitations that mention nothing, a product that is not promoted, or one twice.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promoted as (

    select coalesce(array_agg(product_id), '{}') as product_ids
    from {{ source('ml', 'promotion_products') }}
    where run_id = {{ audited_run() }}

)

select invited.customer_id
from {{ source('ml', 'promotion_invitations') }} as invited
cross join promoted
where
    invited.run_id = {{ audited_run() }}
    and (
        cardinality(invited.product_ids) = 0
        or not invited.product_ids <@ promoted.product_ids
        or (select count(distinct entry) from unnest(invited.product_ids) as entry) < cardinality(invited.product_ids)
    )
