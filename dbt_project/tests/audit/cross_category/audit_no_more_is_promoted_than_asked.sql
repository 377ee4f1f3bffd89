-- One row where more products are promoted or more customers invited than the form allows, or the ranks have gaps.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

promoted as (

    select count(*) as promoted_products
    from {{ source('ml', 'promotion_products') }}
    where run_id = {{ audited_run() }}

),

invited as (

    select
        count(*) as invited_customers,
        coalesce(max(invitation_rank), 0) as last_rank
    from {{ source('ml', 'promotion_invitations') }}
    where run_id = {{ audited_run() }}

)

select
    promoted.promoted_products,
    invited.invited_customers,
    invited.last_rank
from promoted
cross join invited
where
    promoted.promoted_products > {{ audited_param('promotion_products') }}::int
    or invited.invited_customers > {{ audited_param('promotion_audience') }}::int
    or invited.last_rank <> invited.invited_customers
