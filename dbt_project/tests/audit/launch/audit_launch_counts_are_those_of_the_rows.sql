-- New products that claim other partners or impressions than they have, or have some although they are not launched.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

partners as (

    select
        product_id,
        count(*) as rows_found
    from {{ source('ml', 'launch_partners') }}
    where run_id = {{ audited_run() }}
    group by product_id

),

audience as (

    select
        product_id,
        count(*) as rows_found
    from {{ source('ml', 'launch_audience') }}
    where run_id = {{ audited_run() }}
    group by product_id

),

launches as (

    select * from {{ source('ml', 'launches') }}
    where run_id = {{ audited_run() }}

)

select
    coalesce(launches.product_id, partners.product_id, audience.product_id) as product_id,
    launches.partners,
    launches.impressions
from launches
full join partners on launches.product_id = partners.product_id
full join audience on coalesce(launches.product_id, partners.product_id) = audience.product_id
where
    launches.product_id is null
    or launches.partners <> coalesce(partners.rows_found, 0)
    or launches.impressions <> coalesce(audience.rows_found, 0)
    or (not launches.is_launched and launches.partners + launches.impressions > 0)
