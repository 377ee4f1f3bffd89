-- migrate:up
-- What went wrong and somebody should know of, whatever became of it since.

create table ops.incidents (
    incident_id bigint generated always as identity primary key,
    kind text not null check (kind in ('task_failed', 'run_late', 'invariant_broken')),
    subject text not null,
    detail text not null,
    as_of date,
    started_by text not null,
    noted_at timestamptz not null default now()
);
create index on ops.incidents (noted_at);
comment on table ops.incidents is 'One row an incident: a task that failed for good, a run that is late, an invariant that does not hold; only added to.';
comment on column ops.incidents.incident_id is 'Key; ascending in time.';
comment on column ops.incidents.kind is 'task_failed, run_late, or invariant_broken.';
comment on column ops.incidents.subject is 'The task, run or invariant.';
comment on column ops.incidents.detail is 'What is known of it, in words.';
comment on column ops.incidents.as_of is 'Data cut-off of the run; null where it is about no day.';
comment on column ops.incidents.started_by is 'Run that noted it.';
comment on column ops.incidents.noted_at is 'When, UTC.';
grant select on ops.incidents to bundles_transformer, bundles_publisher, bundles_loader, bundles_ml;

create function ops.record_incident(
    kind text, subject text, detail text, as_of date, started_by text
) returns bigint
language sql security definer set search_path = pg_catalog, ops, pg_temp
as $$
    insert into ops.incidents (kind, subject, detail, as_of, started_by)
    values (
        record_incident.kind, record_incident.subject, record_incident.detail, record_incident.as_of,
        record_incident.started_by
    )
    returning incident_id;
$$;
revoke execute on function ops.record_incident(text, text, text, date, text) from public;
grant execute on function ops.record_incident(text, text, text, date, text) to bundles_publisher;

-- migrate:down
drop function ops.record_incident;
drop table ops.incidents;
