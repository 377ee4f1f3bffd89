-- Products of which one more unit would make the bundles worth less, or nobody can say what.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    product_id,
    shadow_price
from {{ source('ml', 'shadow_prices') }}
where run_id = {{ audited_run() }} and not coalesce(shadow_price >= 0 and shadow_price < 'infinity', false)
