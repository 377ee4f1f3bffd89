-- Items of the sale paid with nothing or more than their list price, or whose list price is not that of the day.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    items.bundle_key,
    items.product_id,
    items.price_cents,
    items.list_price_cents
from {{ source('ml', 'bundle_price_items') }} as items
left join {{ ref('ftr_products') }} as products
    on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    items.run_id = {{ audited_run() }}
    and (
        items.price_cents < 1
        or items.price_cents > items.list_price_cents
        or items.list_price_cents - items.price_cents <> items.discount_cents
        or items.list_price_cents is distinct from products.price_cents
        or not coalesce(products.is_bundleable, false)
    )
