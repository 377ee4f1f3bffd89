-- Items that were no bundleable product on the as-of day.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    items.bundle_id,
    items.product_id,
    products.exclusion_reason
from {{ source('ml', 'bundle_items') }} as items
left join {{ ref('ftr_products') }} as products
    on items.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where items.run_id = {{ audited_run() }} and not coalesce(products.is_bundleable, false)
