-- Bundles of the sale whose prices differ from the sums over their items, or whose discount is not their difference.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

summed as (

    select
        bundle_key,
        count(*) as parts,
        sum(price_cents) as price_cents,
        sum(list_price_cents) as list_price_cents,
        sum(discount_cents) as discount_cents
    from {{ source('ml', 'bundle_price_items') }}
    where run_id = {{ audited_run() }}
    group by bundle_key

)

select
    prices.bundle_key,
    prices.bundle_price_cents,
    summed.price_cents
from {{ source('ml', 'bundle_prices') }} as prices
full join summed on prices.bundle_key = summed.bundle_key
where
    coalesce(prices.run_id, {{ audited_run() }}) = {{ audited_run() }}
    and (
        prices.bundle_price_cents is distinct from summed.price_cents
        or prices.list_price_cents is distinct from summed.list_price_cents
        or prices.discount_cents is distinct from summed.discount_cents
        or prices.bundle_size is distinct from summed.parts
        or prices.list_price_cents - prices.bundle_price_cents is distinct from prices.discount_cents
    )
