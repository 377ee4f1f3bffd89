-- Gaps that are not (bound - objective) / bound, and proofs with a gap.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    bundle_id,
    objective,
    upper_bound,
    gap_pct,
    status
from {{ source('ml', 'bundles') }}
where
    run_id = {{ audited_run() }}
    and status <> 'abstained'
    and (
        abs(gap_pct - 100 * greatest(upper_bound - objective, 0) / nullif(upper_bound, 0)) > 1e-4
        or (status = 'optimal' and not gap_pct <= 1e-4)
        or not gap_pct >= 0
    )
