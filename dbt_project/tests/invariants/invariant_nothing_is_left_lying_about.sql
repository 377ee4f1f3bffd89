-- I7: no table of a dbt run that died, no advisory lock that nobody works under, no transaction forgotten for an hour,
-- no session of a task that must be over: dags/shared/stages.py ends a task after three hours. Files of a table that a
-- crash left half-made belong to nothing that Postgres shows this role, and are not seen.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

tables as (

    select
        'relation' as kind,
        format('%s.%s', namespaces.nspname, relations.relname) as what
    from pg_class as relations
    inner join pg_namespace as namespaces on relations.relnamespace = namespaces.oid
    -- Temporary tables of a session at work are its own.
    where
        (relations.relname like '%\_\_dbt\_tmp%' or relations.relname like '%\_\_dbt\_backup%')
        and relations.relpersistence <> 't'

),

locks as (

    select
        'advisory lock' as kind,
        format('of process %s', locks.pid) as what
    from pg_locks as locks
    left join pg_stat_activity as sessions on locks.pid = sessions.pid
    where
        locks.locktype = 'advisory'
        and locks.database = (
            select databases.oid from pg_database as databases
            where databases.datname = current_database()
        )
        and (sessions.pid is null or (sessions.state = 'idle' and sessions.state_change < now() - interval '1 hour'))

),

transactions as (

    select
        'transaction' as kind,
        format('of %s since %s', usename, xact_start) as what
    from pg_stat_activity
    where datname = current_database() and xact_start < now() - interval '1 hour'

),

sessions as (

    select
        'session' as kind,
        format('of %s since %s', usename, backend_start) as what
    from pg_stat_activity
    where
        datname = current_database()
        and usename in ('bundles_loader', 'bundles_transformer', 'bundles_ml', 'bundles_publisher')
        and backend_start < now() - interval '3 hours'

)

select * from tables
union all
select * from locks
union all
select * from transactions
union all
select * from sessions
