-- migrate:up
-- What was offered to whom, kept when the run that offered it is dropped: feedback comes days later.

create table ops.offered_bundles (
    run_id bigint not null references ops.runs (run_id),
    bundle_id text not null,
    customer_id text not null,
    scope text not null,
    as_of date not null,
    bundle_rank integer not null,
    product_ids text[] not null,
    policy text not null,
    list_price_cents integer not null,
    bundle_price_cents integer not null,
    published_at timestamptz not null,
    primary key (run_id, bundle_id)
);
create index on ops.offered_bundles (bundle_id);
create index on ops.offered_bundles (published_at);
comment on table ops.offered_bundles is
'One row a bundle of a run that was published; written with the pointer. When it was shown follows from ops.publish_log, which also knows of rollbacks.';
comment on column ops.offered_bundles.run_id is 'Run that offered it.';
comment on column ops.offered_bundles.bundle_id is 'Bundle; runs of one day may offer the same one.';
comment on column ops.offered_bundles.customer_id is 'To whom.';
comment on column ops.offered_bundles.scope is 'What is published together: personal.';
comment on column ops.offered_bundles.as_of is 'Data cut-off of the run.';
comment on column ops.offered_bundles.bundle_rank is '1 = best of the customer''s bundles.';
comment on column ops.offered_bundles.product_ids is 'Its products, in the order shown.';
comment on column ops.offered_bundles.policy is 'Objective maximised.';
comment on column ops.offered_bundles.list_price_cents is 'Sum of list prices.';
comment on column ops.offered_bundles.bundle_price_cents is 'Price of the bundle.';
comment on column ops.offered_bundles.published_at is 'When the run was published first, UTC.';

-- A trigger, so that no pointer moves without it, whoever moves it. A run that is published again was kept already.
create function ops.keep_offers() returns trigger
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
revoke execute on function ops.keep_offers() from public;

create trigger keep_offers after insert on ops.publish_log
for each row when (new.scope = 'personal' and new.action = 'publish')
execute function ops.keep_offers();

grant select on ops.offered_bundles to bundles_transformer, bundles_publisher;

-- Reactions are joined to the orders of their customer.
create index on raw.bundle_feedback (customer_id, occurred_at);

-- migrate:down
drop index raw.bundle_feedback_customer_id_occurred_at_idx;
drop trigger keep_offers on ops.publish_log;
drop function ops.keep_offers;
drop table ops.offered_bundles;
