-- migrate:up
-- What the roles may do with runs. SECURITY DEFINER with a fixed search_path; executable by name only.

create function ops.result_tables() returns setof text
language sql stable security definer set search_path = pg_catalog, ops, pg_temp
as $$
    select c.relname::text
    from pg_class as c
    where c.relnamespace = 'ml'::regnamespace and c.relkind = 'p'
    order by c.relname
$$;

-- The publishes of a scope that were not taken back. What was taken back once stays back.
create function ops.standing_publishes(scope text) returns table (publish_id bigint, run_id bigint)
language sql stable security definer set search_path = pg_catalog, ops, pg_temp
as $$
    select g.publish_id, g.run_id
    from ops.publish_log as g
    where g.scope = standing_publishes.scope
        and g.action = 'publish'
        and not exists (
            select 1
            from ops.publish_log as b
            where b.action = 'rollback' and b.previous_run_id = g.run_id and b.publish_id > g.publish_id
        )
$$;

create function ops.open_run(
    scope text, as_of date, started_by text, seed bigint, params jsonb, git_commit text
) returns table (run_id bigint, epoch bigint)
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
#variable_conflict use_column
declare
    result_table text;
    partition_name text;
    this_run bigint;
    this_epoch bigint;
begin
    insert into ops.runs as r (scope, as_of, started_by, seed, params, git_commit)
    values (open_run.scope, open_run.as_of, open_run.started_by, open_run.seed, open_run.params, open_run.git_commit)
    on conflict (scope, as_of, started_by) where status <> 'published' do update
        set status = 'open', seed = excluded.seed, params = excluded.params, git_commit = excluded.git_commit
    returning r.run_id into this_run;

    insert into ops.leases as l (scope, epoch, run_id, holder)
    values (open_run.scope, 1, this_run, open_run.started_by)
    on conflict (scope) do update
        set epoch = l.epoch + 1, run_id = excluded.run_id, holder = excluded.holder, taken_at = now()
    returning l.epoch into this_epoch;

    -- Made beside the table and then attached: "partition of" would lock every reader of the table out.
    -- A run of the models needs none, since it writes ml.policy_metrics alone.
    for result_table in select t from ops.result_tables() as t where open_run.scope <> 'models' loop
        partition_name := result_table || '_r' || this_run;
        if to_regclass(format('ml.%I', partition_name)) is null then
            execute format(
                'create table ml.%I (like ml.%I including defaults including constraints, check (run_id = %s))',
                partition_name, result_table, this_run
            );
            execute format(
                'alter table ml.%I attach partition ml.%I for values in (%s)', result_table, partition_name, this_run
            );
        end if;
    end loop;
    return query select this_run, this_epoch;
end
$$;

create function ops.hold_lease(scope text, run_id bigint, epoch bigint) returns void
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
#variable_conflict use_column
declare
    held ops.leases;
begin
    select * into held from ops.leases as l where l.scope = hold_lease.scope for share;
    if held.run_id is distinct from hold_lease.run_id or held.epoch is distinct from hold_lease.epoch then
        raise exception using errcode = 'P0F01', message = format(
            'fenced: scope %s is held by run %s epoch %s, not by run %s epoch %s',
            hold_lease.scope, held.run_id, held.epoch, hold_lease.run_id, hold_lease.epoch
        );
    end if;
end
$$;

create function ops.note_run(run_id bigint, patch jsonb) returns void
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

-- An answer stays with the run it is about; asked again, it is replaced.
create function ops.record_why_not(run_id bigint, customer_id text, answer jsonb) returns void
language sql security definer set search_path = pg_catalog, ops, pg_temp
as $$
    insert into ml.why_not as w
    select record_why_not.run_id, record_why_not.customer_id, to_jsonb(a.product_ids)::text, a.product_ids,
        a.verdict, a.bundle_rank, a.objective, a.best_objective, a.cost_of_forcing, a.binding, a.detail
    from jsonb_to_record(record_why_not.answer) as a (
        product_ids text[], verdict text, bundle_rank integer, objective double precision,
        best_objective double precision, cost_of_forcing double precision, binding text[], detail text
    )
    on conflict (run_id, customer_id, product_key) do update set
        product_ids = excluded.product_ids, verdict = excluded.verdict, bundle_rank = excluded.bundle_rank, objective = excluded.objective,
        best_objective = excluded.best_objective, cost_of_forcing = excluded.cost_of_forcing,
        binding = excluded.binding, detail = excluded.detail;
$$;

-- Only added to: what was judged once stays judged.
create function ops.record_promotion(
    model text, version integer, previous_version integer, kind text, verdict text, reason text, metrics jsonb,
    as_of date, started_by text, mlflow_run_id text
) returns bigint
language sql security definer set search_path = pg_catalog, ops, pg_temp
as $$
    insert into ops.promotions (
        model, version, previous_version, kind, verdict, reason, metrics, as_of, started_by, mlflow_run_id
    )
    values (
        record_promotion.model, record_promotion.version, record_promotion.previous_version, record_promotion.kind,
        record_promotion.verdict, record_promotion.reason, record_promotion.metrics, record_promotion.as_of,
        record_promotion.started_by, record_promotion.mlflow_run_id
    )
    returning promotion_id;
$$;

create function ops.record_audit(
    run_id bigint, epoch bigint, check_name text, is_passed boolean, failures bigint, detail text
) returns void
language sql security definer set search_path = pg_catalog, ops, pg_temp
as $$
    insert into ops.audits as a (run_id, epoch, check_name, is_passed, failures, detail)
    values (record_audit.run_id, record_audit.epoch, record_audit.check_name, record_audit.is_passed,
            record_audit.failures, record_audit.detail)
    on conflict (run_id, epoch, check_name) do update
        set is_passed = excluded.is_passed, failures = excluded.failures, detail = excluded.detail, checked_at = now();
    update ops.runs as r set status = 'audited' where r.run_id = record_audit.run_id and r.status = 'open';
$$;

create function ops.analyze_run(run_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
as $$
declare
    result_table text;
begin
    for result_table in select ops.result_tables() loop
        execute format('analyze ml.%I', result_table || '_r' || analyze_run.run_id);
    end loop;
end
$$;

create function ops.publish(run_id bigint, epoch bigint, actor text) returns text
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '2s' set statement_timeout = '30s'
as $$
#variable_conflict use_column
declare
    this ops.runs;
    held ops.leases;
    shown ops.published;
    checks bigint;
    failed text;
begin
    select * into this from ops.runs as r where r.run_id = publish.run_id;
    if not found then
        raise exception 'publish: there is no run %', publish.run_id;
    end if;
    select * into held from ops.leases as l where l.scope = this.scope for update;
    if held.run_id is distinct from this.run_id or held.epoch is distinct from publish.epoch then
        raise exception using errcode = 'P0F01', message = format(
            'fenced: scope %s is held by run %s epoch %s, not by run %s epoch %s',
            this.scope, held.run_id, held.epoch, this.run_id, publish.epoch
        );
    end if;
    select count(*), string_agg(a.check_name, ', ' order by a.check_name) filter (where not a.is_passed)
    into checks, failed
    from ops.audits as a
    where a.run_id = this.run_id and a.epoch = publish.epoch;
    if checks = 0 then
        raise exception 'publish: run % has no audit of epoch %', this.run_id, publish.epoch;
    end if;
    if failed is not null then
        raise exception 'publish: run % failed its audit: %', this.run_id, failed;
    end if;

    select * into shown from ops.published as p where p.scope = this.scope for update;
    if shown.run_id = this.run_id and exists (
        select 1 from ops.publish_log as g where g.run_id = this.run_id and g.epoch = publish.epoch
    ) then
        return 'published';
    end if;
    if shown.as_of > this.as_of then
        insert into ops.publish_log (scope, run_id, previous_run_id, epoch, as_of, action, actor)
        values (this.scope, this.run_id, shown.run_id, publish.epoch, this.as_of, 'superseded', publish.actor);
        update ops.runs as r set status = 'superseded', finished_at = now() where r.run_id = this.run_id;
        return 'superseded';
    end if;
    insert into ops.published as p (scope, run_id, as_of, data_through)
    values (this.scope, this.run_id, this.as_of, this.data_through)
    on conflict (scope) do update
        set run_id = excluded.run_id, as_of = excluded.as_of, data_through = excluded.data_through, published_at = now();
    insert into ops.publish_log (scope, run_id, previous_run_id, epoch, as_of, action, actor)
    values (this.scope, this.run_id, shown.run_id, publish.epoch, this.as_of, 'publish', publish.actor);
    update ops.runs as r set status = 'published', finished_at = now() where r.run_id = this.run_id;
    return 'published';
end
$$;

create function ops.rollback(scope text, actor text) returns bigint
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '2s' set statement_timeout = '30s'
as $$
#variable_conflict use_column
declare
    held ops.leases;
    shown ops.published;
    back ops.runs;
begin
    select * into held from ops.leases as l where l.scope = rollback.scope for update;
    select * into shown from ops.published as p where p.scope = rollback.scope for update;
    if shown.run_id is null then
        raise exception 'rollback: nothing is published for scope %', rollback.scope;
    end if;
    select r.* into back
    from ops.standing_publishes(rollback.scope) as g
    inner join ops.runs as r on r.run_id = g.run_id
    where g.run_id <> shown.run_id
        and g.publish_id < (
            select max(s.publish_id) from ops.publish_log as s where s.run_id = shown.run_id and s.action = 'publish'
        )
        and to_regclass(format('ml.%I', 'bundles_r' || g.run_id)) is not null
    order by g.publish_id desc
    limit 1;
    if not found then
        raise exception 'rollback: scope % has no earlier run that is still kept', rollback.scope;
    end if;
    update ops.published as p
    set run_id = back.run_id, as_of = back.as_of, data_through = back.data_through, published_at = now()
    where p.scope = rollback.scope;
    insert into ops.publish_log (scope, run_id, previous_run_id, epoch, as_of, action, actor)
    values (rollback.scope, back.run_id, shown.run_id, held.epoch, back.as_of, 'rollback', rollback.actor);
    return back.run_id;
end
$$;

create function ops.drop_old_runs(scope text, keep integer default 2) returns integer
language plpgsql security definer set search_path = pg_catalog, ops, pg_temp
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    old_run bigint;
    result_table text;
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
        begin
            for result_table in select ops.result_tables() loop
                execute format('drop table if exists ml.%I', result_table || '_r' || old_run);
            end loop;
            dropped := dropped + 1;
        exception when lock_not_available then
            -- Somebody reads for long. The partitions stay until the next call.
            raise notice 'run % is being read and stays for now', old_run;
        end;
    end loop;
    return dropped;
end
$$;

revoke execute on all functions in schema ops from public;
grant execute on function ops.open_run(text, date, text, bigint, jsonb, text), ops.hold_lease(text, bigint, bigint)
to bundles_ml, bundles_publisher;
grant execute on function ops.note_run(bigint, jsonb), ops.record_why_not(bigint, text, jsonb),
    ops.record_promotion(text, integer, integer, text, text, text, jsonb, date, text, text)
to bundles_ml;
grant execute on function
    ops.record_audit(bigint, bigint, text, boolean, bigint, text), ops.analyze_run(bigint),
    ops.publish(bigint, bigint, text), ops.rollback(text, text), ops.drop_old_runs(text, integer)
to bundles_publisher;

-- migrate:down
drop function ops.drop_old_runs, ops.rollback, ops.publish, ops.analyze_run, ops.record_audit, ops.record_promotion, ops.record_why_not,
    ops.note_run,
    ops.hold_lease, ops.open_run, ops.standing_publishes, ops.result_tables;
