-- I9: a published run names its code and its features, and personal bundles the versions of both models.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

published as (

    select runs.*
    from {{ source('ops', 'published') }} as pointers
    inner join {{ source('ops', 'runs') }} as runs on pointers.run_id = runs.run_id

)

select
    scope,
    run_id
from published
where
    coalesce(git_commit, '') = ''
    or status <> 'published'
    or (scope = 'personal' and (not model_versions ?& array['preference', 'association'] or dbt_invocation_id is null))
