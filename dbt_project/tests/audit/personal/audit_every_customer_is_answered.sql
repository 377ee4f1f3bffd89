-- Customers of the day, and others with candidates, that have neither a bundle nor a reason why not; but for those who
-- asked to be left out.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

eligible as (

    select customer_id from {{ ref('ftr_customers') }}
    where as_of = {{ audited_as_of() }}

    union distinct

    select customer_id from {{ source('ml', 'candidates') }}
    where run_id = {{ audited_run() }}

)

select eligible.customer_id
from eligible
left join {{ source('ml', 'bundles') }} as bundles
    on eligible.customer_id = bundles.customer_id and bundles.run_id = {{ audited_run() }}
where
    bundles.bundle_id is null
    and eligible.customer_id not in (select erasures.customer_id from {{ source('ops', 'erasures') }} as erasures)
