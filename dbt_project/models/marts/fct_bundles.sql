-- One row per published bundle: products, price, certificate, reason and where it comes from. A customer without a
-- bundle has one row with bundle_size 0 and the reason.
with

bundles as (

    select * from {{ source('ml', 'bundles') }}
    where run_id = {{ published_run() }}

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
    -- By bundle and title by title: whoever asks for one customer then reads two indexes, not all items and products.
    left join lateral (
        select
            array_agg(bundle_items.product_id order by bundle_items.position) as product_ids,
            string_agg(
                coalesce((
                    select products.title
                    from {{ ref('ftr_products') }} as products
                    where products.as_of = {{ published_day() }} and products.product_id = bundle_items.product_id
                ), bundle_items.product_id), ' + '
                order by bundle_items.position
            ) as products
        from {{ source('ml', 'bundle_items') }} as bundle_items
        where bundle_items.run_id = {{ published_run() }} and bundle_items.bundle_id = bundles.bundle_id
    ) as items on true

)

select * from shown
