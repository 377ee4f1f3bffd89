-- Listed bundles that cover less than the list before them or more than the bound, or whose gap is not
-- (bound - coverage of the whole list) / bound.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

listed as (

    select
        bundle_rank,
        coverage,
        upper_bound,
        gap_pct,
        lag(coverage, 1, 0::double precision) over (order by bundle_rank) as coverage_before,
        first_value(coverage) over (order by bundle_rank desc) as coverage_of_all,
        1e-9 * greatest(abs(coverage), 1) as tolerance
    from {{ source('ml', 'catalogue_bundles') }}
    where run_id = {{ audited_run() }}

)

select
    bundle_rank,
    coverage,
    upper_bound,
    gap_pct
from listed
where
    not coverage >= coverage_before - tolerance
    or not upper_bound >= coverage - tolerance
    or not abs(
        gap_pct - coalesce(100 * greatest(upper_bound - coverage_of_all, 0) / nullif(upper_bound, 0), 0)
    ) <= 1e-4
