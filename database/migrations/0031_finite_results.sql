-- migrate:up
-- No result is NaN or infinite, whoever writes it: the code refuses such a frame before it is sent, this what comes past
-- it. NaN is above every number in Postgres, so one comparison keeps all three out; null stays null, and passes.
-- Rows that are there already are not read again: their runs are dropped before long.

do $$
declare
    result record;
begin
    for result in
        select c.relname, string_agg(format('abs(%I) < ''infinity''', a.attname), ' and ' order by a.attnum) as finite
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid
        where c.relnamespace = 'ml'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attnum > 0 and not a.attisdropped and a.atttypid = 'double precision'::regtype
        group by c.relname
    loop
        execute format(
            'alter table ml.%I add constraint numbers_are_finite check (%s) not valid', result.relname, result.finite
        );
    end loop;
end
$$;

-- migrate:down
do $$
declare
    result record;
begin
    for result in
        select c.relname from pg_constraint as k
        inner join pg_class as c on k.conrelid = c.oid
        where k.conname = 'numbers_are_finite' and c.relnamespace = 'ml'::regnamespace and not c.relispartition
    loop
        execute format('alter table ml.%I drop constraint numbers_are_finite', result.relname);
    end loop;
end
$$;
