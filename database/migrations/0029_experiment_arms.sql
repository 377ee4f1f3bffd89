-- migrate:up
-- A shop asks which arm of an experiment a customer is in, and the read-out knows the same.

-- A number in [0, 1) that only salt and customer decide.
create function serve.place(salt text, customer_id text) returns double precision
language sql immutable parallel safe
return ('x' || left(encode(sha256(convert_to(length(salt) || ':' || salt || customer_id, 'UTF8')), 'hex'), 12))::bit(48)::bigint
    / 281474976710656.0::double precision;

create function serve.experiment_arm(
    customer_id text, experiment_name text, arms text[], shares double precision[], holdout_share double precision default 0
) returns text
language plpgsql immutable strict parallel safe security definer set search_path = pg_catalog, serve, pg_temp
as $$
declare
    place constant double precision := serve.place(experiment_name, experiment_arm.customer_id);
    upto double precision := 0;
begin
    if cardinality(arms) < 2 or cardinality(arms) <> cardinality(shares) or 'holdout' = any(arms)
        or 0 >= any(shares) or abs((select sum(s.share) from unnest(shares) as s (share)) - 1) > 1e-9
    then
        raise exception 'experiment_arm: arms % with shares %; wanted are two or more, none called holdout, with shares above 0 that sum to 1', arms, shares
        using errcode = 'invalid_parameter_value';
    end if;
    if serve.place('holdout', experiment_arm.customer_id) < holdout_share then
        return 'holdout';
    end if;
    for n in 1 .. cardinality(arms) - 1 loop
        upto := upto + shares[n];
        if place < upto then
            return arms[n];
        end if;
    end loop;
    return arms[cardinality(arms)];
end
$$;
comment on function serve.experiment_arm is
'Which arm of an experiment a customer is in, or holdout: shown nothing in any experiment. The same answer for ever: the name of the experiment salts a hash of the customer. Written into raw.bundle_feedback.variant by the shop, and read out by the DAG measure_bundles with the same name, arms (such as control=0.5) and holdout share in its form.';
revoke execute on function serve.place(text, text), serve.experiment_arm(text, text, text[], double precision[], double precision) from public;
grant execute on function serve.experiment_arm(text, text, text[], double precision[], double precision) to bundles_analyst;

comment on column ml.experiment_readouts.measure is 'What is counted per customer, from the experiment''s first day on where arms are assigned by its name, else from the day of the customer''s own first exposure: revenue, what was paid; or margin, what was paid less cost.';
comment on column ml.experiment_readouts.arm is 'Arm of the experiment, a variant of raw.bundle_feedback; or holdout, those who are shown nothing.';
comment on column ml.experiment_readouts.customers is 'Customers of the arm; where arms are assigned by the experiment''s name, whether shown anything or not.';
comment on column ml.experiment_readouts.crossed_customers is 'Customers who were shown more than one arm, and are in none; where arms are assigned, those who were shown another arm than theirs, in which they stay.';
comment on column ml.experiment_readouts.planned_share is 'Share of the customers that was planned for the arm; of all customers where there is a holdout.';

-- migrate:down
drop function serve.experiment_arm(text, text, text[], double precision[], double precision);
drop function serve.place(text, text);
