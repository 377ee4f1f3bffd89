-- Promoted products that another promotion of the shop holds on one of the days.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    promoted.product_id,
    promotions.promotion_id
from {{ source('ml', 'promotion_products') }} as promoted
inner join {{ ref('ftr_promotions') }} as promotions
    on
        promoted.product_id = promotions.product_id
        and promoted.starts_on <= promotions.ends_on
        and promoted.ends_on >= promotions.starts_on
where promoted.run_id = {{ audited_run() }}
