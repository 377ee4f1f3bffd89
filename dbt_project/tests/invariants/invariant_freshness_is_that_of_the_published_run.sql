-- I8: the pointer says of the day, the data and the moment what the run and the log of publishes say.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

published as (

    select * from {{ source('ops', 'published') }}

),

runs as (

    select * from {{ source('ops', 'runs') }}

),

moves as (

    select distinct on (scope)
        scope,
        run_id,
        published_at
    from {{ source('ops', 'publish_log') }}
    where action in ('publish', 'rollback')
    order by scope asc, publish_id desc

)

select
    published.scope,
    published.run_id,
    moves.run_id as moved_to,
    published.published_at,
    moves.published_at as moved_at
from published
left join runs on published.run_id = runs.run_id
left join moves on published.scope = moves.scope
where
    published.run_id is distinct from moves.run_id
    or published.published_at is distinct from moves.published_at
    or published.as_of is distinct from runs.as_of
    or published.data_through is distinct from runs.data_through
    or runs.scope is distinct from published.scope
