-- One row per judgement of a model version, refusals included, and per move of the champion by a person.
with

promotions as (

    select * from {{ source('ops', 'promotions') }}

),

named as (

    select
        promotion_id,
        model,
        version,
        previous_version,
        kind,
        verdict,
        verdict in ('promoted', 'noted') as is_champion_since,
        reason,
        metrics,
        as_of,
        started_by,
        mlflow_run_id,
        judged_at
    from promotions

)

select * from named
