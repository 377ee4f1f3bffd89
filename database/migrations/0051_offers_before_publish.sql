-- migrate:up
-- The transaction that moves the pointer copied all offers of the run, so it took longer the more customers a shop has
-- and would not have ended in time for a million. They are copied before it now, and it only looks whether they were.
alter table ops.offered_bundles rename column published_at to kept_at;
alter index ops.offered_bundles_published_at_idx rename to offered_bundles_kept_at_idx;
alter table ops.offered_bundles add column epoch bigint;
comment on table ops.offered_bundles is
'One row a bundle of a run that was published, or is about to be. Whether and when it was shown follows from ops.publish_log, which also knows of rollbacks.';
comment on column ops.offered_bundles.kept_at is 'When it was written here, UTC: right before its run was published first.';
comment on column ops.offered_bundles.epoch is 'Number of the lease under which it was written; null where that was before it was noted.';

create function ops.copy_offers(this ops.runs, epoch bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    copied bigint;
begin
    delete from ops.offered_bundles as o where o.run_id = this.run_id;
    insert into ops.offered_bundles (
        run_id, bundle_id, customer_id, scope, as_of, bundle_rank, product_ids, policy, list_price_cents,
        bundle_price_cents, kept_at, epoch
    )
    select
        b.run_id, b.bundle_id, b.customer_id, this.scope, this.as_of, b.bundle_rank, i.product_ids, b.policy,
        b.list_price_cents, b.bundle_price_cents, now(), copy_offers.epoch
    from ml.bundles as b
    inner join (
        select n.bundle_id, array_agg(n.product_id order by n.position) as product_ids
        from ml.bundle_items as n
        where n.run_id = this.run_id
        group by n.bundle_id
    ) as i on b.bundle_id = i.bundle_id
    where b.run_id = this.run_id and b.status <> 'abstained';
    get diagnostics copied = row_count;
    -- An erasure waits for this lock: one that came first is seen here, and one that comes now finds these rows.
    lock table ops.published in row exclusive mode;
    delete from ops.offered_bundles as o using ops.erasures as e
    where o.run_id = this.run_id and o.customer_id = e.customer_id;
    return copied;
end
$$;
revoke execute on function ops.copy_offers(ops.runs, bigint) from public;

create function ops.prepare_offers(run_id bigint, epoch bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    -- The marts look a year back; what is older by a month of late feedback resolves nothing any more.
    kept_days constant integer := 400;
    this ops.runs;
    other_run bigint;
begin
    select * into this from ops.runs as r where r.run_id = prepare_offers.run_id;
    perform ops.hold_lease(this.scope, prepare_offers.run_id, prepare_offers.epoch);
    if this.scope <> 'personal' or this.status = 'published'
        or exists (select from ops.published as p where p.scope = this.scope and p.as_of > this.as_of) then
        return 0;
    end if;
    -- What was kept of runs that were not published after all. One by one: each is found by the key. By the log and not
    -- the status, which a run that was shown may lose: its offers are not to be had again.
    for other_run in
        select r.run_id
        from ops.runs as r
        where r.scope = this.scope
            and not exists (select from ops.publish_log as g where g.run_id = r.run_id and g.action = 'publish')
    loop
        delete from ops.offered_bundles as o where o.run_id = other_run;
    end loop;
    delete from ops.offered_bundles as o where o.kept_at < now() - make_interval(days => kept_days);
    return ops.copy_offers(this, prepare_offers.epoch);
end
$$;
revoke execute on function ops.prepare_offers(bigint, bigint) from public;
grant execute on function ops.prepare_offers(bigint, bigint) to bundles_publisher;

-- A trigger still, so that no pointer moves without the offers, whoever moves it.
create or replace function ops.keep_offers() returns trigger
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    this ops.runs;
begin
    if exists (
        select from ops.offered_bundles as o where o.run_id = new.run_id and (o.epoch = new.epoch or o.epoch is null)
    ) then
        return null;
    end if;
    select * into this from ops.runs as r where r.run_id = new.run_id;
    perform ops.copy_offers(this, new.epoch);
    return null;
end
$$;

-- migrate:down
create or replace function ops.keep_offers() returns trigger
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    -- The marts look a year back; what is older by a month of late feedback resolves nothing any more.
    kept_days constant integer := 400;
begin
    insert into ops.offered_bundles (
        run_id, bundle_id, customer_id, scope, as_of, bundle_rank, product_ids, policy, list_price_cents,
        bundle_price_cents, published_at
    )
    select
        b.run_id, b.bundle_id, b.customer_id, new.scope, new.as_of, b.bundle_rank, i.product_ids, b.policy,
        b.list_price_cents, b.bundle_price_cents, new.published_at
    from ml.bundles as b
    inner join (
        select n.bundle_id, array_agg(n.product_id order by n.position) as product_ids
        from ml.bundle_items as n
        where n.run_id = new.run_id
        group by n.bundle_id
    ) as i on b.bundle_id = i.bundle_id
    where b.run_id = new.run_id and b.status <> 'abstained'
    on conflict do nothing;
    delete from ops.offered_bundles as o where o.published_at < new.published_at - make_interval(days => kept_days);
    return null;
end
$$;
drop function ops.prepare_offers, ops.copy_offers;
delete from ops.offered_bundles as o
where not exists (select from ops.publish_log as g where g.run_id = o.run_id and g.action = 'publish');
alter table ops.offered_bundles drop column epoch;
alter index ops.offered_bundles_kept_at_idx rename to offered_bundles_published_at_idx;
alter table ops.offered_bundles rename column kept_at to published_at;
comment on column ops.offered_bundles.published_at is 'When the run was published first, UTC.';
comment on table ops.offered_bundles is
'One row a bundle of a run that was published; written with the pointer. When it was shown follows from ops.publish_log, which also knows of rollbacks.';
