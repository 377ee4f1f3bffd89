-- One row per published bundle: products, price, certificate, reason and where it comes from. A customer without a
-- bundle has one row with bundle_size 0 and the reason.
with

bundles as (

    select * from {{ source('ml', 'bundles') }}
    where run_id = {{ published_run() }}

),

items as (

    select
        items.bundle_id,
        array_agg(items.product_id order by items.position) as product_ids,
        string_agg(coalesce(products.title, items.product_id), ' + ' order by items.position) as products
    from {{ source('ml', 'bundle_items') }} as items
    left join {{ ref('dim_products') }} as products on items.product_id = products.product_id
    where items.run_id = {{ published_run() }}
    group by items.bundle_id

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run() }}

),

shown as (

    select
        bundles.bundle_id,
        bundles.customer_id,
        bundles.bundle_rank,
        bundles.bundle_size,
        items.products,
        items.product_ids,
        {{ decimal_money('bundles.list_price_cents') }} as list_price,
        {{ decimal_money('bundles.bundle_price_cents') }} as bundle_price,
        {{ decimal_money('bundles.expected_revenue_cents') }} as expected_revenue,
        {{ decimal_money('bundles.margin_cents') }} as margin,
        {{ decimal_money('bundles.expected_margin_cents') }} as expected_margin,
        bundles.margin_note,
        bundles.joint_probability,
        bundles.reason,
        bundles.fallback_reason,
        bundles.held_back_by,
        bundles.is_kept,
        bundles.policy,
        bundles.solver,
        bundles.status,
        bundles.objective,
        bundles.upper_bound,
        bundles.gap_pct,
        bundles.candidate_set,
        bundles.candidates,
        bundles.run_id,
        runs.as_of,
        runs.data_through,
        runs.published_at,
        runs.model_versions,
        runs.git_commit,
        runs.started_by,
        runs.dbt_invocation_id,
        runs.mlflow_run_id,
        bundles.lost_to,
        bundles.discovery_products
    from bundles
    cross join runs
    left join items on bundles.bundle_id = items.bundle_id

)

select * from shown
