-- Promoted prices that leave less margin than asked, where the shop gives the cost, or that are not below the list.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    promoted.product_id,
    promoted.promoted_price_cents,
    products.cost_cents
from {{ source('ml', 'promotion_products') }} as promoted
left join {{ ref('ftr_products') }} as products
    on promoted.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    promoted.run_id = {{ audited_run() }}
    and (
        products.price_cents is distinct from promoted.list_price_cents
        or not promoted.promoted_price_cents between 1 and promoted.list_price_cents - 1
        or promoted.promoted_price_cents * (1 - {{ audited_param('min_margin_share') }}::float8)
        < products.cost_cents - 1e-6
    )
