-- New products whose audience is expected to buy more than the stock less the reserve holds.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    launches.product_id,
    launches.expected_units,
    products.available_units
from {{ source('ml', 'launches') }} as launches
inner join {{ ref('ftr_products') }} as products
    on launches.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    launches.run_id = {{ audited_run() }}
    and products.available_units is not null
    and coalesce(launches.expected_units, launches.impressions)
    > greatest(products.available_units - {{ audited_param('reserve_units') }}::bigint, 0) + 1e-6
