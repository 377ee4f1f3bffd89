-- Pairs that are no pair in order, or whose association is no number of at least 0.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    product_a,
    product_b
from {{ source('ml', 'associations') }}
where
    run_id = {{ audited_run() }}
    and (product_a = product_b or not coalesce(association >= 0 and association < 'infinity', false))
