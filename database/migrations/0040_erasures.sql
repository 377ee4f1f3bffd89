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
    select t
    from ops.result_tables() as t
    where exists (
        select from pg_attribute as a
        where a.attrelid = format('ml.%I', t)::regclass and a.attname = 'customer_id' and not a.attisdropped
    )
    order by t
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
    select r.run_id into shown
    from (select distinct c.run_id from changed as c) as t
    inner join ops.runs as r on t.run_id = r.run_id
    where r.status = 'published'
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
    held text;
    customers bigint;
begin
    if not exists (select from ops.erasures) then
        return new;
    end if;
    select string_agg(format('select customer_id from ml.%I', t || '_r' || new.run_id), ' union all ')
    into held
    from ops.customer_tables() as t
    where to_regclass(format('ml.%I', t || '_r' || new.run_id)) is not null;
    if held is null then
        return new;
    end if;
    execute format(
        'select count(distinct h.customer_id) from (%s) as h'
        ' where h.customer_id in (select e.customer_id from ops.erasures as e)', held
    ) into customers;
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
    select r.run_id into shown
    from (select distinct c.run_id from changed as c) as t
    inner join ops.runs as r on t.run_id = r.run_id
    where r.status = 'published'
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
