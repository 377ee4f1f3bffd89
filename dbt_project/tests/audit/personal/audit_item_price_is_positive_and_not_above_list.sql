-- Items that cost nothing, or more than outside the bundle, or whose price outside is not that of the day.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    items.bundle_id,
    items.product_id,
    items.price_cents,
    items.list_price_cents,
    products.price_cents as price_of_the_day_cents
from {{ source('ml', 'bundle_items') }} as items
left join {{ ref('ftr_products') }} as products
    on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    items.run_id = {{ audited_run() }}
    and (
        not (items.price_cents > 0 and items.price_cents <= items.list_price_cents)
        or items.list_price_cents is distinct from products.price_cents
    )
