-- Customers with candidates, and bundles of the shop's own, that have no row together: neither a rank nor a reason.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

customers as (

    select distinct customer_id
    from {{ source('ml', 'candidates') }}
    where run_id = {{ audited_run() }}

)

select
    customers.customer_id,
    given.given_bundle_id
from customers
cross join {{ ref('ftr_given_bundles') }} as given
left join {{ source('ml', 'given_bundle_ranks') }} as ranks
    on
        ranks.run_id = {{ audited_run() }}
        and customers.customer_id = ranks.customer_id
        and given.given_bundle_id = ranks.given_bundle_id
where given.as_of = {{ audited_as_of() }} and ranks.run_id is null
