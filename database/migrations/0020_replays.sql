-- migrate:up
-- What was mended while a delivery was read, and which records of the quarantine have landed since.

alter table ops.load_manifest add column notes jsonb not null default '{}';
comment on column ops.load_manifest.notes is 'What was mended or passed over while reading, counted.';

create table ops.replays (
    quarantine_id bigint primary key references ops.quarantine (quarantine_id),
    load_id bigint not null references ops.load_manifest (load_id),
    outcome text not null check (outcome in ('accepted', 'duplicate')),
    is_mended boolean not null,
    replayed_at timestamptz not null default now()
);
create index on ops.replays (load_id);
comment on table ops.replays is 'One row a record of the quarantine that has landed since; only added to.';
comment on column ops.replays.quarantine_id is 'The record; it lands once.';
comment on column ops.replays.load_id is 'Delivery under which it landed.';
comment on column ops.replays.outcome is 'accepted, or duplicate: the same record had landed in another delivery.';
comment on column ops.replays.is_mended is 'Whether somebody changed it; false: it was good as it came, by then.';
comment on column ops.replays.replayed_at is 'When, UTC.';
grant select on ops.replays to bundles_loader, bundles_transformer, bundles_ml, bundles_publisher;
grant insert on ops.replays to bundles_loader;

-- migrate:down
drop table ops.replays;
alter table ops.load_manifest drop column notes;
