-- One row per product as the published run knew it; before the first publish, as the newest features know it.
with

features as (

    select * from {{ ref('ftr_products') }}
    where
        as_of = coalesce(
            {{ published_day() }},
            (select max(builds.as_of) from {{ ref('ftr_builds') }} as builds)
        )

),

shown as (

    select
        product_id,
        title,
        brand,
        department,
        category,
        category_path,
        {{ decimal_money('price_cents') }} as price,
        {{ decimal_money('cost_cents') }} as unit_cost,
        {{ decimal_money('margin_cents') }} as margin,
        available_units,
        is_bundleable,
        exclusion_reason,
        baskets,
        customers,
        first_sold_on,
        last_sold_on,
        launched_on,
        rating_mean,
        rating_count,
        is_promoted,
        trend_ratio,
        as_of
    from features

)

select * from shown
