-- I15: once personal bundles are published, rows that were delivered 36 hours ago have been followed by a publish; a
-- run for a day before the published one counts, though the pointer stays. A paused DAG loses its day without a failure
-- and without a run that could be late, and nothing else would say that old bundles stay shown.
-- Counted from the delivery, so that a shop which delivers nothing is not late. What was only let out of quarantine
-- waits for the next delivery.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

deliveries as (

    select * from {{ source('ops', 'load_manifest') }}

),

replays as (

    select * from {{ source('ops', 'replays') }}

),

followed as (

    -- Not the pointer's own moment, which a rollback moves too.
    select max(published_at) as last_at
    from {{ source('ops', 'publish_log') }}
    where scope = 'personal' and action in ('publish', 'superseded')

)

select
    deliveries.load_id,
    deliveries.table_name,
    deliveries.loaded_at,
    followed.last_at
from deliveries
cross join followed
where
    deliveries.status = 'accepted'
    and deliveries.rows_accepted > 0
    and deliveries.loaded_at > followed.last_at
    and deliveries.loaded_at < now() - interval '36 hours'
    and not exists (
        select 1 from replays
        where replays.load_id = deliveries.load_id
    )
