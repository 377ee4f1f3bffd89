-- I6: no run is published twice, unless it was taken back between, and none by an older lease than one before it.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
with

publishes as (

    select
        publish_id,
        scope,
        run_id,
        epoch,
        lag(publish_id) over (partition by scope, run_id order by publish_id) as published_before,
        max(epoch) over (partition by scope order by publish_id rows between unbounded preceding and 1 preceding)
            as epoch_before
    from {{ source('ops', 'publish_log') }}
    where action = 'publish'

)

select publishes.*
from publishes
where
    publishes.epoch < publishes.epoch_before
    or (
        publishes.published_before is not null
        and not exists (
            select 1
            from {{ source('ops', 'publish_log') }} as moves
            where
                moves.action = 'rollback'
                and moves.previous_run_id = publishes.run_id
                and moves.publish_id between publishes.published_before and publishes.publish_id
        )
    )
