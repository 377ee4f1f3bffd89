-- migrate:up
-- Manifests, quarantine, runs, leases, audits, the pointer and promotions. Written through the functions below only,
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
comment on column ops.load_manifest.load_id is 'Key of the delivery; every raw row names the one that brought it.';
comment on column ops.load_manifest.source is 'Name of the source.';
comment on column ops.load_manifest.table_name is 'Table of the raw contract.';
comment on column ops.load_manifest.file_name is 'Where the records came from.';
comment on column ops.load_manifest.file_sha256 is 'Fingerprint of the content; the same one is loaded once.';
comment on column ops.load_manifest.loaded_through is 'Last day covered, where the source is cut by day.';
comment on column ops.load_manifest.rows_in is 'Records in the delivery.';
comment on column ops.load_manifest.rows_accepted is 'Records that landed in schema raw.';
comment on column ops.load_manifest.rows_duplicate is 'Records that were there already, or twice in the delivery.';
comment on column ops.load_manifest.rows_quarantined is 'Records set aside, see ops.quarantine.';
comment on column ops.load_manifest.status is 'accepted; refused: nothing landed; unchanged: the same content had landed before.';
comment on column ops.load_manifest.reason is 'Why it was refused, or what it repeats.';
comment on column ops.load_manifest.loaded_at is 'When, UTC.';

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
comment on column ops.quarantine.quarantine_id is 'Key.';
comment on column ops.quarantine.load_id is 'Delivery that held the record.';
comment on column ops.quarantine.table_name is 'Table of the raw contract.';
comment on column ops.quarantine.record_number is 'Position in the delivery, 1 for the first record.';
comment on column ops.quarantine.reason is 'Code of the rule that was broken.';
comment on column ops.quarantine.column_name is 'Column that broke it.';
comment on column ops.quarantine.raw_record is 'The record as JSON, as it came.';
comment on column ops.quarantine.quarantined_at is 'When, UTC.';

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
comment on column ops.runs.run_id is 'Key of the run.';
comment on column ops.runs.scope is 'What is published together: a scenario, or models.';
comment on column ops.runs.as_of is 'Data cut-off: rows dated on or before it were used.';
comment on column ops.runs.started_by is 'Who started it; a retry gives the same.';
comment on column ops.runs.seed is 'Of every random choice.';
comment on column ops.runs.params is 'Values of the run''s form.';
comment on column ops.runs.model_versions is 'Version of each model used.';
comment on column ops.runs.data_through is 'Newest day in the data used.';
comment on column ops.runs.git_commit is 'Version of the code.';
comment on column ops.runs.dbt_invocation_id is 'dbt invocation that built the features.';
comment on column ops.runs.mlflow_run_id is 'Run in MLflow.';
comment on column ops.runs.status is 'open, audited, published, superseded by a newer day, or failed.';
comment on column ops.runs.counts is 'Numbers reported by the stages.';
comment on column ops.runs.opened_at is 'When it was first opened, UTC.';
comment on column ops.runs.finished_at is 'When it was published or superseded, UTC.';

create table ops.leases (
    scope text primary key,
    epoch bigint not null,
    run_id bigint not null references ops.runs (run_id),
    holder text not null,
    taken_at timestamptz not null default now()
);
comment on table ops.leases is 'One row a scope: the try that may write. Each try takes the next epoch.';
comment on column ops.leases.scope is 'What is published together.';
comment on column ops.leases.epoch is 'Number of the current try; every older number is fenced off.';
comment on column ops.leases.run_id is 'Run that may write.';
comment on column ops.leases.holder is 'Who started that run.';
comment on column ops.leases.taken_at is 'When, UTC.';

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
comment on column ops.audits.run_id is 'Run that was checked.';
comment on column ops.audits.epoch is 'Try under which it was checked.';
comment on column ops.audits.check_name is 'Name of the check.';
comment on column ops.audits.is_passed is 'Whether it passed.';
comment on column ops.audits.failures is 'Rows that broke it.';
comment on column ops.audits.detail is 'An example of such rows.';
comment on column ops.audits.checked_at is 'When, UTC.';

create table ops.published (
    scope text primary key,
    run_id bigint not null references ops.runs (run_id),
    as_of date not null,
    data_through date,
    published_at timestamptz not null default now()
);
comment on table ops.published is 'The pointer: which run the views of a scope show.';
comment on column ops.published.scope is 'What is published together.';
comment on column ops.published.run_id is 'Run that the views show.';
comment on column ops.published.as_of is 'Its data cut-off.';
comment on column ops.published.data_through is 'Newest day in its data.';
comment on column ops.published.published_at is 'When the pointer moved last, UTC.';

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
comment on column ops.publish_log.publish_id is 'Key; ascending in time.';
comment on column ops.publish_log.scope is 'What is published together.';
comment on column ops.publish_log.run_id is 'Run the pointer moved to, or that came too late.';
comment on column ops.publish_log.previous_run_id is 'Run shown before.';
comment on column ops.publish_log.epoch is 'Epoch of the lease.';
comment on column ops.publish_log.as_of is 'Data cut-off of the run.';
comment on column ops.publish_log.action is 'publish, rollback, or superseded: came too late to move the pointer.';
comment on column ops.publish_log.actor is 'Who did it.';
comment on column ops.publish_log.published_at is 'When, UTC.';

create table ops.promotions (
    promotion_id bigint generated always as identity primary key,
    model text not null,
    version integer not null,
    previous_version integer,
    kind text not null check (kind in ('first', 'refresh', 'challenger', 'rollback', 'by_hand')),
    verdict text not null check (verdict in ('promoted', 'refused', 'frozen', 'held', 'outdated', 'noted')),
    reason text not null,
    metrics jsonb not null default '{}',
    as_of date not null,
    started_by text not null,
    mlflow_run_id text,
    judged_at timestamptz not null default now()
);
create index on ops.promotions (model, promotion_id);
comment on table ops.promotions is 'One row a judgement of a model version, refusals included, and a move of the champion by a person.';
comment on column ops.promotions.promotion_id is 'Key; ascending in time.';
comment on column ops.promotions.model is 'Name of the registered model.';
comment on column ops.promotions.version is 'Version that was judged, or that a person made the champion.';
comment on column ops.promotions.previous_version is 'Champion before; null where there was none.';
comment on column ops.promotions.kind is 'first; refresh: the champion''s recipe on newer data; challenger: another recipe; rollback: a person went back; by_hand: a person went elsewhere.';
comment on column ops.promotions.verdict is 'promoted; refused by the gate; passed but frozen, held after a rollback, or outdated by a champion of newer data; noted: done by a person.';
comment on column ops.promotions.reason is 'The reason in words.';
comment on column ops.promotions.metrics is 'Numbers that the verdict rests on.';
comment on column ops.promotions.as_of is 'Data cut-off of the run that judged or noted it.';
comment on column ops.promotions.started_by is 'Who started that run.';
comment on column ops.promotions.mlflow_run_id is 'Run of the version in MLflow.';
comment on column ops.promotions.judged_at is 'When, UTC.';

grant select on all tables in schema ops to bundles_loader, bundles_transformer, bundles_ml, bundles_publisher;
grant insert on ops.load_manifest, ops.quarantine to bundles_loader;

-- migrate:down
drop table ops.promotions, ops.publish_log, ops.published, ops.audits, ops.leases, ops.runs, ops.quarantine, ops.load_manifest;
