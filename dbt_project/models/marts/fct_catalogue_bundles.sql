-- One row per bundle that the published run lists for everybody, in the order in which they were chosen.
with

listed as (

    select * from {{ source('ml', 'catalogue_bundles') }}
    where run_id = {{ published_run() }}

),

named as (

    select
        listed.bundle_rank,
        string_agg(coalesce(products.title, entries.product_id), ' + ' order by entries.place) as products
    from listed
    cross join lateral unnest(listed.product_ids) with ordinality as entries (product_id, place)
    left join {{ ref('dim_products') }} as products on entries.product_id = products.product_id
    group by listed.bundle_rank

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run() }}

),

shown as (

    select
        listed.bundle_rank,
        listed.bundle_size,
        named.products,
        listed.product_ids,
        {{ decimal_money('listed.list_price_cents') }} as list_price,
        listed.customers,
        listed.gain,
        listed.coverage,
        listed.upper_bound,
        listed.gap_pct,
        listed.reason,
        listed.run_id,
        runs.as_of
    from listed
    cross join runs
    left join named on listed.bundle_rank = named.bundle_rank

)

select * from shown
