-- migrate:up
-- What a run was made with, to the byte: the libraries it ran on, and the files of its models. Null for the runs opened
-- before this was noted; a later run that never said it has the empty default, which is a broken lineage.

alter table ops.runs add column lock_sha256 text, add column model_manifests jsonb;
alter table ops.runs alter column lock_sha256 set default '', alter column model_manifests set default '{}';
comment on column ops.runs.lock_sha256 is 'SHA-256 of the lock file of the libraries; null for runs opened before it was noted.';
comment on column ops.runs.model_manifests is 'SHA-256 of the manifest of each model used, by name; null for runs opened before it was noted.';

create or replace function ops.note_run(run_id bigint, patch jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
#variable_conflict use_column
begin
    if coalesce(patch ->> 'status', 'open') not in ('open', 'failed') then
        raise exception 'note_run: status % is set by the audit and publish functions only', patch ->> 'status';
    end if;
    if patch ? 'status' and exists (
        select from ops.runs as r where r.run_id = note_run.run_id and r.status = 'published'
    ) then
        raise exception 'note_run: run % was published, and stays so', note_run.run_id;
    end if;
    update ops.runs as r set
        model_versions = r.model_versions || coalesce(patch -> 'model_versions', '{}'),
        model_manifests = coalesce(r.model_manifests || (patch -> 'model_manifests'), patch -> 'model_manifests', r.model_manifests),
        counts = r.counts || coalesce(patch -> 'counts', '{}'),
        data_through = coalesce((patch ->> 'data_through')::date, r.data_through),
        dbt_invocation_id = coalesce(patch ->> 'dbt_invocation_id', r.dbt_invocation_id),
        mlflow_run_id = coalesce(patch ->> 'mlflow_run_id', r.mlflow_run_id),
        lock_sha256 = coalesce(patch ->> 'lock_sha256', r.lock_sha256),
        status = coalesce(patch ->> 'status', r.status)
    where r.run_id = note_run.run_id;
    if not found then
        raise exception 'note_run: there is no run %', note_run.run_id;
    end if;
end
$$;

-- migrate:down
create or replace function ops.note_run(run_id bigint, patch jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
#variable_conflict use_column
begin
    if coalesce(patch ->> 'status', 'open') not in ('open', 'failed') then
        raise exception 'note_run: status % is set by the audit and publish functions only', patch ->> 'status';
    end if;
    update ops.runs as r set
        model_versions = r.model_versions || coalesce(patch -> 'model_versions', '{}'),
        counts = r.counts || coalesce(patch -> 'counts', '{}'),
        data_through = coalesce((patch ->> 'data_through')::date, r.data_through),
        dbt_invocation_id = coalesce(patch ->> 'dbt_invocation_id', r.dbt_invocation_id),
        mlflow_run_id = coalesce(patch ->> 'mlflow_run_id', r.mlflow_run_id),
        status = coalesce(patch ->> 'status', r.status)
    where r.run_id = note_run.run_id;
    if not found then
        raise exception 'note_run: there is no run %', note_run.run_id;
    end if;
end
$$;
alter table ops.runs drop column lock_sha256, drop column model_manifests;
