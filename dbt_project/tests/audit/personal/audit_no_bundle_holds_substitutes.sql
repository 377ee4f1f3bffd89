-- Bundles of a run of complements that hold two substitutes, or two products which are bought together less than chance
-- would have it: the whole interval of their lift lies below 1. Where nothing was expected there is no such interval.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    first_items.bundle_id,
    pairs.product_a,
    pairs.product_b,
    pairs.relation,
    pairs.lift_high
from {{ source('ml', 'associations') }} as pairs
inner join {{ source('ml', 'bundle_items') }} as first_items
    on pairs.run_id = first_items.run_id and pairs.product_a = first_items.product_id
inner join {{ source('ml', 'bundle_items') }} as second_items
    on
        first_items.run_id = second_items.run_id
        and first_items.bundle_id = second_items.bundle_id
        and pairs.product_b = second_items.product_id
where
    pairs.run_id = {{ audited_run() }}
    and pairs.product_a <> pairs.product_b
    and (pairs.relation = 'substitute' or (pairs.expected_baskets > 0 and pairs.lift_high < 1))
    and {{ audited_param('complements_only') }}::boolean
