-- I9: a published run names its code, the lock file of its libraries and its deliveries, and personal bundles their
-- features and the versions of both models. What MLflow knows of these is asked by ml/publishing/lineage.py.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

published as (

    select runs.*
    from {{ source('ops', 'published') }} as pointers
    inner join {{ source('ops', 'runs') }} as runs on pointers.run_id = runs.run_id

),

deliveries as (

    select * from {{ source('ops', 'load_manifest') }}

),

delivered as (

    -- By the days that were delivered, where the source is cut by day, and not by when: a clock may be set back.
    select
        count(*) as deliveries,
        max(loaded_through) as covers
    from deliveries
    where status = 'accepted'

)

select
    published.scope,
    published.run_id
from published
cross join delivered
where
    coalesce(published.git_commit, '') = ''
    -- Null in runs from before it was noted.
    or published.lock_sha256 !~ '^[0-9a-f]{64}$'
    or published.status <> 'published'
    or delivered.deliveries = 0
    or delivered.covers < published.data_through
    or (
        published.scope = 'personal'
        and (
            not published.model_versions ?& array['preference', 'association']
            or published.dbt_invocation_id is null
        )
    )
