-- Partners that are of the new product's own category, bought together no more than chance, or new themselves.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    partners.product_id,
    partners.partner_id,
    partners.association
from {{ source('ml', 'launch_partners') }} as partners
inner join {{ ref('ftr_products') }} as new_products
    on partners.product_id = new_products.product_id and new_products.as_of = {{ audited_as_of() }}
inner join {{ ref('ftr_products') }} as products
    on partners.partner_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    partners.run_id = {{ audited_run() }}
    and (
        new_products.category = products.category
        or not partners.association between 1 and 1e6
        or products.baskets < {{ threshold('min_product_baskets') }}
    )
