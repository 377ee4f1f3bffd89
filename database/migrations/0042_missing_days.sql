-- migrate:up
-- A day without orders is looked for each night and noted once: the day itself is the incident's as-of day.
alter table ops.incidents drop constraint incidents_kind_check;
alter table ops.incidents add constraint incidents_kind_check
check (kind in ('task_failed', 'run_late', 'invariant_broken', 'day_missing'));
create unique index incidents_missing_day on ops.incidents (subject, as_of) where kind = 'day_missing';
comment on table ops.incidents is 'One row an incident: a task that failed for good, a run that is late, an invariant that does not hold, a day without orders; only added to.';
comment on column ops.incidents.kind is 'task_failed, run_late, invariant_broken, or day_missing.';
comment on column ops.incidents.subject is 'The task, run, invariant or table.';
comment on column ops.incidents.as_of is 'Data cut-off of the run, or the missing day; null where it is about no day.';

create or replace function ops.record_incident(
    kind text, subject text, detail text, as_of date, started_by text
) returns bigint
language sql security definer set search_path = pg_catalog, ops, pg_temp
as $$
    insert into ops.incidents (kind, subject, detail, as_of, started_by)
    values (
        record_incident.kind, record_incident.subject, record_incident.detail, record_incident.as_of,
        record_incident.started_by
    )
    on conflict do nothing
    returning incident_id;
$$;
comment on function ops.record_incident(text, text, text, date, text)
is 'Note an incident and return its number; null for a missing day that is known.';

-- migrate:down
create or replace function ops.record_incident(
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
delete from ops.incidents where kind = 'day_missing';
drop index ops.incidents_missing_day;
alter table ops.incidents drop constraint incidents_kind_check;
alter table ops.incidents add constraint incidents_kind_check
check (kind in ('task_failed', 'run_late', 'invariant_broken'));
