-- One row per as-of day and bundle that the shop itself put together.
{{ config(indexes=[{'columns': ['as_of', 'given_bundle_id'], 'unique': true}]) }}

with

bundles as (

    select
        bundle_id as given_bundle_id,
        array_agg(product_id order by position asc, product_id asc) as product_ids,
        count(*)::int as bundle_size
    from {{ ref('stg_raw__given_bundles') }}
    group by bundle_id

),

dated as (

    select
        {{ as_of() }} as as_of,
        given_bundle_id,
        product_ids,
        bundle_size
    from bundles

)

select * from dated
