-- migrate:up
-- Customers who asked to be left out. Their results go at once; no stage is given a row of theirs from then on, and no
-- pointer moves to a run that holds one. What they delivered (raw, staging, features) stays until it is erased there.

create table ops.erasures (
    customer_id text primary key,
    asked_at timestamptz not null default now(),
    asked_by text not null
);
comment on table ops.erasures is 'One row a customer who asked to be left out; only added to.';
comment on column ops.erasures.customer_id is 'The customer, as the shop names them.';
comment on column ops.erasures.asked_at is 'When the operator wrote it down, UTC; the first time counts.';
comment on column ops.erasures.asked_by is 'Who wrote it down.';
grant select on ops.erasures to bundles_transformer, bundles_ml, bundles_publisher;

create function ops.customer_tables() returns setof text
language sql stable security definer set search_path = pg_catalog, ops, pg_temp
as $$
    select c.relname::text
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid
    where c.relnamespace = 'ml'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and a.attname = 'customer_id' and not a.attisdropped
    order by c.relname
$$;

-- Returns how many rows of results went. Asked twice, the second call finds what a stage that was under way wrote.
create function ops.request_erasure(customer_id text, asked_by text) returns bigint
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    result_table text;
    gone bigint := 0;
    these bigint;
begin
    if coalesce(trim(request_erasure.customer_id), '') = '' then
        raise exception 'request_erasure: no customer was named';
    end if;
    -- A publish under way ends first, and the next one begins after: neither sees what the other has not committed.
    lock table ops.published in share row exclusive mode;
    insert into ops.erasures (customer_id, asked_by)
    values (request_erasure.customer_id, request_erasure.asked_by)
    on conflict do nothing;
    -- Items know their customer by their bundle alone.
    delete from ml.bundle_items as i using ml.bundles as b
    where b.run_id = i.run_id and b.bundle_id = i.bundle_id and b.customer_id = request_erasure.customer_id;
    get diagnostics gone = row_count;
    for result_table in select ops.customer_tables() loop
        execute format('delete from ml.%I where customer_id = $1', result_table) using request_erasure.customer_id;
        get diagnostics these = row_count;
        gone := gone + these;
    end loop;
    delete from ops.offered_bundles as o where o.customer_id = request_erasure.customer_id;
    get diagnostics these = row_count;
    return gone + these;
end
$$;

-- Rows of a published run stay as they are, but for those of somebody who asked to be left out: the publisher has no
-- right to delete results other than by request_erasure.
create or replace function ops.refuse_to_change_what_was_shown() returns trigger
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    shown bigint;
begin
    if pg_has_role(session_user, 'bundles_owner', 'usage')
        or (tg_op = 'DELETE' and pg_has_role(session_user, 'bundles_publisher', 'usage')) then
        return null;
    end if;
    select t.run_id into shown
    from (select distinct c.run_id from changed as c) as t
    where exists (select from ops.publish_log as g where g.run_id = t.run_id and g.action = 'publish')
    limit 1;
    if found then
        raise exception using errcode = 'P0F02', message = format(
            '%s of %s.%s refused: run %s was published, and its rows stay as they are',
            lower(tg_op), tg_table_schema, tg_table_name, shown
        );
    end if;
    return null;
end
$$;

-- A trigger, so that no pointer moves without it, whoever moves it.
create function ops.refuse_erased() returns trigger
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    asked constant text[] := array(select e.customer_id from ops.erasures as e);
    result_table text;
    these text[];
    held text[] := '{}';
    customers bigint;
begin
    for result_table in select ops.customer_tables() where cardinality(asked) > 0 loop
        execute format(
            'select array_agg(distinct customer_id) from ml.%I where run_id = $1 and customer_id = any($2)', result_table
        ) into these using new.run_id, asked;
        held := held || these;
    end loop;
    select count(distinct h) into customers from unnest(held) as h;
    if customers > 0 then
        raise exception 'publish: run % holds rows of % who asked to be left out while it was made; run it again',
            new.run_id, customers || case customers when 1 then ' customer' else ' customers' end;
    end if;
    return new;
end
$$;
revoke execute on function ops.customer_tables(), ops.request_erasure(text, text), ops.refuse_erased() from public;
grant execute on function ops.request_erasure(text, text) to bundles_publisher;

create trigger refuse_erased before insert or update on ops.published
for each row execute function ops.refuse_erased();

-- migrate:down
create or replace function ops.refuse_to_change_what_was_shown() returns trigger
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    shown bigint;
begin
    if pg_has_role(session_user, 'bundles_owner', 'usage') then
        return null;
    end if;
    select t.run_id into shown
    from (select distinct c.run_id from changed as c) as t
    where exists (select from ops.publish_log as g where g.run_id = t.run_id and g.action = 'publish')
    limit 1;
    if found then
        raise exception using errcode = 'P0F02', message = format(
            '%s of %s.%s refused: run %s was published, and its rows stay as they are',
            lower(tg_op), tg_table_schema, tg_table_name, shown
        );
    end if;
    return null;
end
$$;
drop trigger refuse_erased on ops.published;
drop function ops.refuse_erased, ops.request_erasure, ops.customer_tables;
drop table ops.erasures;
