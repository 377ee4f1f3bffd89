-- Interests and alerts about a category that the shop's list names.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

spoken as (

    select
        customer_id,
        unnest(interests) as category
    from {{ source('ml', 'customer_cards') }}
    where run_id = {{ audited_run() }}

    union all

    select
        customer_id,
        category
    from {{ source('ml', 'care_alerts') }}
    where run_id = {{ audited_run() }} and category is not null

)

select distinct
    spoken.customer_id,
    spoken.category
from spoken
inner join {{ ref('sensitive_categories') }} as listed on spoken.category ilike listed.match_value
