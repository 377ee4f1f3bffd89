-- migrate:up
-- Manifests, quarantine, runs, leases, audits and the pointer. Written through the functions below only,
-- but for manifests and quarantine, which the loader inserts.

create table ops.load_manifest (
    load_id bigint generated always as identity primary key,
    source text not null,
    table_name text not null,
    file_name text not null,
    file_sha256 text not null,
    loaded_through date,
    rows_in bigint not null default 0,
    rows_accepted bigint not null default 0,
    rows_duplicate bigint not null default 0,
    rows_quarantined bigint not null default 0,
    status text not null check (status in ('accepted', 'refused', 'unchanged')),
    reason text,
    loaded_at timestamptz not null default now(),
    check (status <> 'accepted' or rows_in = rows_accepted + rows_duplicate + rows_quarantined)
);
create unique index load_manifest_once on ops.load_manifest (source, table_name, file_sha256) where status = 'accepted';
comment on table ops.load_manifest is 'One row a delivery: what came, what became of it.';

create table ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    load_id bigint not null references ops.load_manifest (load_id),
    table_name text not null,
    record_number bigint not null,
    reason text not null,
    column_name text,
    raw_record text not null,
    quarantined_at timestamptz not null default now()
);
create index on ops.quarantine (load_id);
comment on table ops.quarantine is 'One row a refused record, with its reason; only added to.';

create table ops.runs (
    run_id bigint generated always as identity primary key,
    scope text not null,
    as_of date not null,
    started_by text not null,
    seed bigint not null,
    params jsonb not null default '{}',
    model_versions jsonb not null default '{}',
    data_through date,
    git_commit text,
    dbt_invocation_id text,
    mlflow_run_id text,
    status text not null default 'open' check (status in ('open', 'audited', 'published', 'superseded', 'failed')),
    counts jsonb not null default '{}',
    opened_at timestamptz not null default now(),
    finished_at timestamptz
);
-- A retry finds its own run. A run that was published is never written again, since people read it or may be
-- taken back to it: who starts the same day once more gets a new one.
create unique index runs_unpublished_once on ops.runs (scope, as_of, started_by) where status <> 'published';
comment on table ops.runs is 'One row a run of a scope for a day.';

create table ops.leases (
    scope text primary key,
    epoch bigint not null,
    run_id bigint not null references ops.runs (run_id),
    holder text not null,
    taken_at timestamptz not null default now()
);
comment on table ops.leases is 'One row a scope: the try that may write. Each try takes the next epoch.';

create table ops.audits (
    run_id bigint not null references ops.runs (run_id),
    epoch bigint not null,
    check_name text not null,
    is_passed boolean not null,
    failures bigint not null,
    detail text,
    checked_at timestamptz not null default now(),
    primary key (run_id, epoch, check_name)
);
comment on table ops.audits is 'One row a check of a candidate run.';

create table ops.published (
    scope text primary key,
    run_id bigint not null references ops.runs (run_id),
    as_of date not null,
    data_through date,
    published_at timestamptz not null default now()
);
comment on table ops.published is 'The pointer: which run the views of a scope show.';

create table ops.publish_log (
    publish_id bigint generated always as identity primary key,
    scope text not null,
    run_id bigint not null,
    previous_run_id bigint,
    epoch bigint not null,
    as_of date not null,
    action text not null check (action in ('publish', 'rollback', 'superseded')),
    actor text not null,
    published_at timestamptz not null default now()
);
comment on table ops.publish_log is 'Every move of a pointer, and every publish that came too late to move it.';

grant select on all tables in schema ops to bundles_loader, bundles_transformer, bundles_ml, bundles_publisher;
grant insert on ops.load_manifest, ops.quarantine to bundles_loader;

-- migrate:down
drop table ops.publish_log, ops.published, ops.audits, ops.leases, ops.runs, ops.quarantine, ops.load_manifest;
