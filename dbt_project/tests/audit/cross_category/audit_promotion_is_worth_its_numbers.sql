-- Products whose promotion is not the sum of its products, brings nothing, or claims more than its bound; or numbers
-- that are none.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

summed as (

    select
        *,
        sum(expected_incremental_margin_cents) over () as whole,
        1e-6 * greatest(abs(objective), 1) as tolerance
    from {{ source('ml', 'promotion_products') }}
    where run_id = {{ audited_run() }}

)

select
    product_id,
    objective,
    whole
from summed
where
    not coalesce(
        abs(objective - whole) <= tolerance
        and objective > 0
        and upper_bound >= objective - tolerance
        and abs(gap_pct - 100 * (upper_bound - objective) / upper_bound) <= 1e-4
        and incremental_margin_low_cents <= incremental_margin_high_cents
        and expected_units >= base_units
        and expected_units < 'infinity',
        false
    )
