-- I6: no run is published twice, and none by an older lease than one that published before it.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

publishes as (

    select
        publish_id,
        scope,
        run_id,
        epoch,
        count(*) over (partition by scope, run_id) as times,
        max(epoch) over (partition by scope order by publish_id rows between unbounded preceding and 1 preceding)
            as epoch_before
    from {{ source('ops', 'publish_log') }}
    where action = 'publish'

)

select * from publishes
where times > 1 or epoch <= epoch_before
