-- One row per run of the pipeline: what it stood on, who started it, what became of it.
with

runs as (

    select * from {{ source('ops', 'runs') }}

),

published as (

    select * from {{ source('ops', 'published') }}

),

shown as (

    select
        runs.run_id,
        runs.scope,
        runs.as_of,
        runs.status,
        published.run_id is not null as is_published,
        published.published_at,
        runs.data_through,
        runs.started_by,
        runs.seed,
        runs.params,
        runs.model_versions,
        runs.git_commit,
        runs.dbt_invocation_id,
        runs.mlflow_run_id,
        runs.counts,
        runs.opened_at,
        runs.finished_at,
        runs.lock_sha256
    from runs
    left join published on runs.scope = published.scope and runs.run_id = published.run_id

)

select * from shown
