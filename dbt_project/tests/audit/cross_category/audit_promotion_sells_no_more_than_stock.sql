-- Promoted products of which more units are expected than stock less the reserve.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    promoted.product_id,
    promoted.expected_units,
    products.available_units
from {{ source('ml', 'promotion_products') }} as promoted
inner join {{ ref('ftr_products') }} as products on promoted.product_id = products.product_id
where
    promoted.run_id = {{ audited_run() }}
    and products.as_of = {{ audited_as_of() }}
    and promoted.expected_units
    > products.available_units - {{ audited_param('reserve_units') }}::int + 1e-6
