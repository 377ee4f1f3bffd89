-- migrate:up
-- Rows of a run that was published stay as they are. `ml` writes results, and a lease keeps its tries apart; this keeps
-- its hands, and whoever has its password, off what people read and what a rollback returns to.

-- The owner may still mend by hand: the session's role is asked, since the function runs as its owner.
create function ops.refuse_to_change_what_was_shown() returns trigger
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    shown bigint;
begin
    if pg_has_role(session_user, 'bundles_owner', 'usage') then
        return null;
    end if;
    -- The log, which nobody but a publish writes.
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
revoke execute on function ops.refuse_to_change_what_was_shown() from public;

-- To be called by each migration that adds a result table.
create function ops.guard_results() returns void
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    result_table text;
begin
    for result_table in select ops.result_tables() loop
        execute format(
            'create or replace trigger shown_rows_stay after delete on ml.%I referencing old table as changed '
            'for each statement execute function ops.refuse_to_change_what_was_shown()', result_table
        );
        execute format(
            'create or replace trigger nothing_joins_shown_rows after insert on ml.%I referencing new table as changed '
            'for each statement execute function ops.refuse_to_change_what_was_shown()', result_table
        );
    end loop;
end
$$;
revoke execute on function ops.guard_results() from public;
select ops.guard_results();

-- migrate:down
drop function ops.guard_results();
drop function ops.refuse_to_change_what_was_shown() cascade;
