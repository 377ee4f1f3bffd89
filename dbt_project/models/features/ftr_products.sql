-- One row per as-of day and product known by then: what it is, costs, sold and is worth to buyers.
{{ config(indexes=[
    {'columns': ['as_of', 'product_id'], 'unique': true},
    {'columns': ['as_of', 'price_cents']},
]) }}

with

products as (

    select * from {{ ref('stg_raw__products') }}
    where launched_on is null or launched_on <= {{ as_of() }}

),

prices as (

    select * from {{ ref('int_products_priced') }}
    where as_of = {{ as_of() }}

),

basket_products as (

    select * from {{ ref('int_basket_products_netted') }}
    where as_of = {{ as_of() }}

),

sales as (

    select
        product_id,
        count(*)::int as baskets,
        count(distinct customer_id)::int as customers,
        min(basket_on) as first_sold_on,
        max(basket_on) as last_sold_on
    from basket_products
    group by product_id

),

category_trends as (

    select
        prices.category,
        sum(basket_products.units) filter (
            where basket_products.basket_on > {{ as_of() }} - {{ var('trend_window_days') }}
        ) as recent_units,
        sum(basket_products.units) filter (
            where basket_products.basket_on <= {{ as_of() }} - {{ var('trend_window_days') }}
        ) as earlier_units
    from basket_products
    inner join prices on basket_products.product_id = prices.product_id
    where
        basket_products.basket_on > {{ as_of() }} - 2 * {{ var('trend_window_days') }}
        and prices.category is not null
    group by prices.category

),

review_days as (

    select
        product_id,
        reviewed_on,
        count(*) as review_count,
        sum(rating)::bigint as stars
    from {{ ref('int_reviews_counted') }}
    where uncounted_reason is null and reviewed_on <= {{ as_of() }}
    group by product_id, reviewed_on

),

ratings as (

    select
        product_id,
        sum(stars)::float8 / sum(review_count)::float8 as rating_mean,
        sum(review_count)::int as rating_count,
        array_agg(reviewed_on order by reviewed_on) as reviewed_on,
        array_agg(review_count order by reviewed_on) as review_counts,
        array_agg(stars order by reviewed_on) as review_stars
    from review_days
    group by product_id

),

stock_counts as (

    select distinct on (product_id, warehouse_id)
        product_id,
        available_units
    from {{ ref('stg_raw__stock_levels') }}
    where counted_on <= {{ as_of() }}
    order by product_id asc, warehouse_id asc, counted_at desc

),

stock as (

    select
        product_id,
        sum(available_units)::int as available_units
    from stock_counts
    group by product_id

),

-- Without any count the shop does not count: unlimited. With counts, a product without one is not there.
stock_rule as (

    select case when exists (select from stock_counts) then 0 end as uncounted_units

),

promoted as (

    select product_id
    from {{ ref('int_promotions_merged') }}
    where promoted_days @> {{ as_of() }}

),

-- What a day's morning shows: promotions that have begun or begin the day after, without limit backwards, because
-- models learn from earlier days too.
shown as (

    select
        promotions.product_id,
        promotions.kind,
        promotions.starts_on,
        promotions.ends_on,
        case
            when promotions.kind = 'discount' then coalesce(promotions.discount_share, 0)
            else coalesce(promotions.store_count, 1)::float8
        end as size
    from {{ ref('stg_raw__promotions') }} as promotions
    inner join prices on promotions.product_id = prices.product_id
    where promotions.starts_on <= {{ as_of() }} + 1 and prices.exclusion_reason is null

),

promotion_lists as (

    select
        product_id,
        array_agg(kind order by starts_on, kind, ends_on, size) as promotion_kinds,
        array_agg(starts_on order by starts_on, kind, ends_on, size) as promotion_starts_on,
        array_agg(ends_on order by starts_on, kind, ends_on, size) as promotion_ends_on,
        array_agg(size order by starts_on, kind, ends_on, size) as promotion_sizes
    from shown
    group by product_id

),

gathered as (

    select
        {{ as_of() }} as as_of,
        products.product_id,
        products.title,
        products.brand,
        products.department,
        products.category,
        products.category_path,
        prices.price_cents,
        products.cost_cents,
        prices.price_cents - products.cost_cents as margin_cents,
        coalesce(stock.available_units, stock_rule.uncounted_units) as available_units,
        prices.exclusion_reason is null as is_bundleable,
        prices.exclusion_reason,
        coalesce(sales.baskets, 0) as baskets,
        coalesce(sales.customers, 0) as customers,
        sales.first_sold_on,
        sales.last_sold_on,
        products.launched_on,
        ratings.rating_mean,
        coalesce(ratings.rating_count, 0) as rating_count,
        promoted.product_id is not null as is_promoted,
        coalesce(category_trends.recent_units, 0) / nullif(category_trends.earlier_units, 0)::float8 as trend_ratio,
        promotion_lists.promotion_kinds,
        promotion_lists.promotion_starts_on,
        promotion_lists.promotion_ends_on,
        promotion_lists.promotion_sizes,
        ratings.reviewed_on,
        ratings.review_counts,
        ratings.review_stars,
        products.image_vector,
        products.text_vector,
        products.audio_vector
    from products
    inner join prices on products.product_id = prices.product_id
    cross join stock_rule
    left join sales on products.product_id = sales.product_id
    left join category_trends on products.category = category_trends.category
    left join ratings on products.product_id = ratings.product_id
    left join stock on products.product_id = stock.product_id
    left join promoted on products.product_id = promoted.product_id
    left join promotion_lists on products.product_id = promotion_lists.product_id

)

select * from gathered
