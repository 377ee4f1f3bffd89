-- Products that more bundles hold than there are units beside the reserve. Everything is counted anew, from the
-- features and the bundles. A run that promises by expected demand may offer more than there is.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promised as (

    {{ counted_promises() }}

)

select
    promised.product_id,
    products.available_units,
    promised.units as promised_units
from promised
inner join {{ ref('ftr_products') }} as products
    on promised.product_id = products.product_id and products.as_of = {{ audited_as_of() }}
where
    {{ audited_param('couples_stock') }}::boolean
    and {{ audited_param('promise_quantile') }} is null
    and products.available_units is not null  -- greatest() would take unlimited for nothing
    and promised.units > greatest(products.available_units - {{ audited_param('reserve_units') }}::bigint, 0)
