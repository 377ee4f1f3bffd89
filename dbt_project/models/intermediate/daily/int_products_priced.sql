-- One row per as-of day and product known by then: its price, and why it may not enter a bundle, if so.
{{ config(indexes=[{'columns': ['as_of', 'product_id'], 'unique': true}], pre_hook='{{ reopen_build() }}') }}

with

products as (

    select * from {{ ref('stg_raw__products') }}
    where launched_on is null or launched_on <= {{ as_of() }}

),

-- The shop's own price goes before all others; sales are asked only where it gives none, and 0 is none.
unpriced as (

    select product_id from products
    where coalesce(price_cents, 0) = 0

),

recent_prices as (

    select
        lines.product_id,
        percentile_disc(0.5) within group (order by lines.unit_price_cents) as price_cents
    from {{ ref('int_order_lines_joined') }} as lines
    inner join unpriced on lines.product_id = unpriced.product_id
    where
        lines.ordered_on <= {{ as_of() }}
        and lines.ordered_on > {{ as_of() }} - {{ var('price_window_days') }}
        and lines.quantity_units > 0
        and lines.unit_price_cents > 0
    group by lines.product_id

),

older_lines as (

    select
        lines.product_id,
        lines.unit_price_cents,
        rank() over (partition by lines.product_id order by lines.ordered_on desc) as days_back
    from {{ ref('int_order_lines_joined') }} as lines
    inner join unpriced on lines.product_id = unpriced.product_id
    left join recent_prices on lines.product_id = recent_prices.product_id
    where
        lines.ordered_on <= {{ as_of() }}
        and lines.quantity_units > 0
        and lines.unit_price_cents > 0
        and recent_prices.product_id is null

),

last_day_prices as (

    select
        product_id,
        percentile_disc(0.5) within group (order by unit_price_cents) as price_cents
    from older_lines
    where days_back = 1
    group by product_id

),

rules as (

    select
        match_field,
        lower(match_value) as match_value,
        reason
    from {{ ref('excluded_products') }}

),

facts as (

    select
        products.product_id,
        named.match_field,
        named.match_value
    from products
    cross join lateral (
        values
        ('product_id', lower(products.product_id)),
        ('department', lower(products.department)),
        ('category', lower(products.category)),
        ('title', lower(products.title))
    ) as named (match_field, match_value)

),

matched as (

    select
        known.match_field,
        known.match_value,
        min(rules.reason) as reason
    from (
        select distinct
            match_field,
            match_value
        from facts
    ) as known
    inner join rules on known.match_field = rules.match_field and known.match_value like rules.match_value
    group by known.match_field, known.match_value

),

listed as (

    select
        facts.product_id,
        min(matched.reason) as reason
    from facts
    inner join matched on facts.match_field = matched.match_field and facts.match_value = matched.match_value
    group by facts.product_id

),

priced as (

    select
        products.product_id,
        products.category,
        products.is_active,
        listed.reason as listed_reason,
        coalesce(
            nullif(products.price_cents, 0), recent_prices.price_cents, last_day_prices.price_cents
        ) as price_cents
    from products
    left join recent_prices on products.product_id = recent_prices.product_id
    left join last_day_prices on products.product_id = last_day_prices.product_id
    left join listed on products.product_id = listed.product_id

),

judged as (

    select
        {{ as_of() }} as as_of,
        product_id,
        category,
        price_cents,
        case
            when listed_reason is not null then listed_reason
            when not is_active then 'not active'
            when price_cents is null then 'no price'
        end as exclusion_reason
    from priced

)

select * from judged
