-- migrate:up
-- Old runs are dropped each night now, also where none is published. A failed one is what somebody looks at in the
-- morning, so it stays for two days like one that never came to its end.
create or replace function ops.drop_old_runs(scope text, keep integer default 2) returns integer
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '50ms'
as $$
#variable_conflict use_column
declare
    old_run bigint;
    result_table text;
    started timestamptz;
    dropped integer := 0;
begin
    for old_run in
        select r.run_id
        from ops.runs as r
        where r.scope = drop_old_runs.scope
            and (r.status in ('published', 'superseded') or r.opened_at < now() - interval '2 days')
            and to_regclass(format('ml.%I', 'bundles_r' || r.run_id)) is not null
            and r.run_id not in (select p.run_id from ops.published as p)
            and r.run_id not in (select l.run_id from ops.leases as l)
            and r.run_id not in (
                -- Those that a rollback may return to, so a run that was taken back keeps no place.
                select g.run_id
                from ops.standing_publishes(drop_old_runs.scope) as g
                group by g.run_id
                order by max(g.publish_id) desc
                limit greatest(drop_old_runs.keep, 2)
            )
        order by r.run_id
    loop
        for attempt in 1..5 loop
            begin
                if dropped = 0 then
                    started := clock_timestamp();
                end if;
                for result_table in select ops.result_tables() loop
                    execute format('lock table only ml.%I in access exclusive mode', result_table);
                    if clock_timestamp() - started > interval '500 ms' then
                        raise lock_not_available;
                    end if;
                end loop;
                for result_table in select ops.result_tables() loop
                    execute format('drop table if exists ml.%I', result_table || '_r' || old_run);
                end loop;
                dropped := dropped + 1;
                exit;
            exception when lock_not_available then
                -- Somebody reads for long. The partitions stay, at the latest until the next call.
                exit when dropped > 0;
                perform pg_sleep(0.1 * attempt);
            end;
        end loop;
        -- The locks of what was dropped are held until the call ends, so it ends soon; the next one drops the rest.
        exit when dropped > 0 and clock_timestamp() - started > interval '300 ms';
    end loop;
    return dropped;
end
$$;

-- migrate:down
create or replace function ops.drop_old_runs(scope text, keep integer default 2) returns integer
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '50ms'
as $$
#variable_conflict use_column
declare
    old_run bigint;
    result_table text;
    started timestamptz;
    dropped integer := 0;
begin
    for old_run in
        select r.run_id
        from ops.runs as r
        where r.scope = drop_old_runs.scope
            and (r.status in ('published', 'superseded', 'failed') or r.opened_at < now() - interval '2 days')
            and to_regclass(format('ml.%I', 'bundles_r' || r.run_id)) is not null
            and r.run_id not in (select p.run_id from ops.published as p)
            and r.run_id not in (select l.run_id from ops.leases as l)
            and r.run_id not in (
                -- Those that a rollback may return to, so a run that was taken back keeps no place.
                select g.run_id
                from ops.standing_publishes(drop_old_runs.scope) as g
                group by g.run_id
                order by max(g.publish_id) desc
                limit greatest(drop_old_runs.keep, 2)
            )
        order by r.run_id
    loop
        for attempt in 1..5 loop
            begin
                if dropped = 0 then
                    started := clock_timestamp();
                end if;
                for result_table in select ops.result_tables() loop
                    execute format('lock table only ml.%I in access exclusive mode', result_table);
                    if clock_timestamp() - started > interval '500 ms' then
                        raise lock_not_available;
                    end if;
                end loop;
                for result_table in select ops.result_tables() loop
                    execute format('drop table if exists ml.%I', result_table || '_r' || old_run);
                end loop;
                dropped := dropped + 1;
                exit;
            exception when lock_not_available then
                -- Somebody reads for long. The partitions stay, at the latest until the next call.
                exit when dropped > 0;
                perform pg_sleep(0.1 * attempt);
            end;
        end loop;
        -- The locks of what was dropped are held until the call ends, so it ends soon; the next one drops the rest.
        exit when dropped > 0 and clock_timestamp() - started > interval '300 ms';
    end loop;
    return dropped;
end
$$;

