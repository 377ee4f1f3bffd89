-- One row per new product in the published plan: whether it is launched, with what, to how many, and what is expected.
-- Where nothing is new, one row that says so.
with

launches as (

    select * from {{ source('ml', 'launches') }}
    where run_id = {{ published_run('launch') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

offers as (

    select
        partners.product_id,
        array_agg(partners.partner_id order by partners.partner_rank) as partner_ids,
        string_agg(
            coalesce(products.title, partners.partner_id), ' + '
            order by partners.partner_rank
        ) as partner_titles
    from {{ source('ml', 'launch_partners') }} as partners
    left join products on partners.partner_id = products.product_id
    where partners.run_id = {{ published_run('launch') }}
    group by partners.product_id

),

lacking as (

    {{ unavailable('launch', 'launches') }}

),

runs as (

    select * from {{ ref('fct_runs') }}
    where run_id = {{ published_run('launch') }}

),

shown as (

    select
        launches.product_id,
        products.title,
        products.category,
        launches.launched_on,
        launches.is_launched,
        offers.partner_titles,
        offers.partner_ids,
        launches.impressions,
        launches.budget_impressions - sum(launches.impressions) over () as unspent_impressions,
        launches.is_pinned,
        launches.conversion,
        launches.conversion_low,
        launches.conversion_high,
        launches.drawn_conversion,
        launches.past_launches,
        {{ decimal_money('launches.list_price_cents') }} as list_price,
        launches.available_units,
        launches.expected_units,
        {{ decimal_money('launches.expected_revenue_cents') }} as expected_revenue,
        {{ decimal_money('launches.expected_margin_cents') }} as expected_margin,
        launches.reason,
        launches.is_exploration,
        lacking.unavailable_reason,
        runs.run_id,
        runs.as_of
    from runs
    left join lacking on true
    left join launches on lacking.unavailable_reason is null
    left join products on launches.product_id = products.product_id
    left join offers on launches.product_id = offers.product_id
    where launches.product_id is not null or lacking.unavailable_reason is not null

)

select * from shown
