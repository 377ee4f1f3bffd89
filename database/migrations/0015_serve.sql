-- migrate:up
-- What a shop page or an analyst asks while a basket is being filled: answered from the published run, with live stock.

create schema serve;
comment on schema serve is 'Functions that answer at once, from what is published and what is in stock.';
grant usage on schema serve to bundles_analyst;

-- The key finds the pairs of a product by its smaller side only. Partitions get the index when they are attached.
create index associations_by_product_b on ml.associations (run_id, product_b);

-- Steps from warehouse to warehouse in the key, so that an answer takes the same time however many counts there were.
create view serve.live_stock as
select
    products.product_id,
    case
        when exists (select from raw.stock_levels) then (
            with recursive warehouses as (
                select min(levels.warehouse_id) as warehouse_id
                from raw.stock_levels as levels
                where levels.product_id = products.product_id
                union all
                select (
                    select min(levels.warehouse_id)
                    from raw.stock_levels as levels
                    where levels.product_id = products.product_id and levels.warehouse_id > warehouses.warehouse_id
                )
                from warehouses
                where warehouses.warehouse_id is not null
            )

            select least(coalesce(sum(latest.available_units), 0), 2147483647)::integer
            from warehouses
            cross join lateral (
                select greatest(levels.on_hand_units - levels.reserved_units, 0) as available_units
                from raw.stock_levels as levels
                where levels.product_id = products.product_id and levels.warehouse_id = warehouses.warehouse_id
                order by levels.counted_at desc
                limit 1
            ) as latest
        )
    end as available_units
from raw.products as products;
comment on view serve.live_stock is
'One row a product: what can be sold now, by the last count of each warehouse. serve.complete_basket reads stock here alone. A shop that keeps stock in a table of its own says so, as bundles_owner, by: create or replace view serve.live_stock as select sku as product_id, free::integer as available_units from their_table. The columns keep these names and types (text, integer), a product has one row at most, and bundles_owner must be allowed to read the table, in which product_id should be indexed. A view without any row means unlimited stock; a product without a row in a view with rows has nothing.';
comment on column serve.live_stock.product_id is 'Product.';
comment on column serve.live_stock.available_units is
'On hand less reserved, at least 0, over all warehouses; 0 for a product without a count in a shop that counts; null: not counted, unlimited.';

create type serve.completion as (
    rank integer,
    product_id text,
    title text,
    price_cents integer,
    score double precision,
    basket_product_id text,
    basket_title text,
    pair_baskets integer,
    lift double precision,
    lift_low double precision,
    lift_high double precision,
    association double precision,
    evidence text,
    preference double precision,
    available_units integer,
    reason text,
    problem text
);
comment on type serve.completion is
'One row a product that completes a basket (rank and product_id filled, problem null), or what could not be done (problem and reason filled, rank and product_id null).';
comment on column serve.completion.rank is '1 = best; null: the row tells a problem.';
comment on column serve.completion.product_id is 'Product suggested.';
comment on column serve.completion.title is 'Its title, or its key where there is none.';
comment on column serve.completion.price_cents is 'Its list price in the published run, in cents.';
comment on column serve.completion.score is
'Probability of buying it, given the basket product that it goes with most. The customer''s candidates come before all others, each ordered by score; see serve.complete_basket.';
comment on column serve.completion.basket_product_id is
'Product of the basket that it goes with most; of an unknown_product the product that is not known.';
comment on column serve.completion.basket_title is 'Title of that product, or its key where there is none.';
comment on column serve.completion.pair_baskets is 'Baskets of known customers with both.';
comment on column serve.completion.lift is 'How many times what each customer''s own habits explain; 0: not counted.';
comment on column serve.completion.lift_low is 'Lower end of its 95 % interval.';
comment on column serve.completion.lift_high is 'Upper end.';
comment on column serve.completion.association is 'Shrunk lift, as the optimizer uses it; estimated where evidence is not counted.';
comment on column serve.completion.evidence is 'What the association rests on: counted, category, graph or blend, see ml.associations.';
comment on column serve.completion.preference is
'Calibrated probability that the customer''s next basket holds it; null without a customer, or where it is none of the customer''s candidates.';
comment on column serve.completion.available_units is 'Units that can be sold now, by serve.live_stock; null: not counted, unlimited.';
comment on column serve.completion.reason is 'Why it is suggested, or what could not be done, in words.';
comment on column serve.completion.problem is
'nothing_published; empty_basket; unknown_product, a row for each; unknown_customer: the run knows no preferences, so that of anybody are meant; and why there are fewer rows than asked for: nothing_in_budget, out_of_stock, no_association.';

create function serve.problem(problem text, reason text, basket_product_id text default null) returns serve.completion
language sql immutable
as $$
    select row(
        null, null, null, null, null, problem.basket_product_id, null, null, null, null, null, null, null, null, null,
        problem.reason, problem.problem
    )::serve.completion
$$;

-- The words of ml/reasons.py.
create function serve.completion_reason(completion serve.completion) returns text
language sql immutable
as $$
    select format('%s and %s ', completion.basket_title, completion.title)
        || case
            when completion.evidence <> 'counted' then
                'are too new together to have been counted; products like them are bought together '
                || round(completion.association::numeric, 1) || ' times what the buyers'' habits explain'
            else format(
                'were bought together in %s basket%s', completion.pair_baskets,
                case completion.pair_baskets when 1 then '' else 's' end
            )
        end
        || case
            when completion.evidence = 'counted' and completion.lift > 0 then format(
                ', %s times what the buyers'' habits explain (%s to %s)', round(completion.lift::numeric, 1),
                round(completion.lift_low::numeric, 1), round(completion.lift_high::numeric, 1)
            )
            else ''
        end
        || coalesce(
            '. The customer''s next basket holds ' || completion.title || ' with a probability of '
            || round(100 * completion.preference::numeric, 1) || ' %',
            ''
        ) || '.'
$$;

-- dbt makes the tables of schema features after the migrations.
set local check_function_bodies = off;

-- All that complete a basket, whatever they cost and however many are left, best first. Products are looked up in this
-- order, so that a caller who has enough stops the looking up. The caller's plan takes the query in; therefore it has
-- neither rights nor settings of its own.
create function serve.scored_complements(run_id bigint, as_of date, basket text[], customer_id text)
returns setof serve.completion
language sql stable
as $$
    with basket as (
        select f.product_id, coalesce(f.title, f.product_id) as title, f.baskets
        from features.ftr_products as f
        where f.as_of = scored_complements.as_of and f.product_id = any(scored_complements.basket)
    ),

    pairs as (
        select
            a.product_b as product_id, b.product_id as basket_product_id, b.title as basket_title, b.baskets,
            a.pair_baskets, a.expected_baskets, a.lift, a.lift_low, a.lift_high, a.association, a.relation, a.evidence
        from basket as b
        inner join ml.associations as a on a.run_id = scored_complements.run_id and b.product_id = a.product_a
        where a.product_b <> all(scored_complements.basket)
        union all
        select
            a.product_a, b.product_id, b.title, b.baskets,
            a.pair_baskets, a.expected_baskets, a.lift, a.lift_low, a.lift_high, a.association, a.relation, a.evidence
        from basket as b
        inner join ml.associations as a on a.run_id = scored_complements.run_id and b.product_id = a.product_b
        where a.product_a <> all(scored_complements.basket)
    ),

    preferences as materialized (
        select c.product_id, c.preference
        from ml.candidates as c
        where c.run_id = scored_complements.run_id and c.customer_id = scored_complements.customer_id
    ),

    scored as (
        select
            p.*, c.preference,
            least(1, case
                when c.preference is not null then c.preference * p.association
                when p.evidence = 'counted' and p.baskets > 0 then p.pair_baskets / p.baskets::double precision
                else p.association * coalesce(
                    (
                        select f.baskets from features.ftr_products as f
                        where f.as_of = scored_complements.as_of and f.product_id = p.product_id
                    ) / (
                        select nullif(y.baskets, 0)::double precision from features.ftr_builds as y
                        where y.as_of = scored_complements.as_of
                    ), 0
                )
            end) as score
        from pairs as p
        left join preferences as c on p.product_id = c.product_id
        where p.association > 0 and p.product_id not in (
            select n.product_id from pairs as n
            where n.relation = 'substitute' or (n.lift_high < 1 and n.expected_baskets > 0)
        )
    ),

    best as (
        select distinct on (s.product_id collate "C") *
        from scored as s
        order by s.product_id collate "C", s.score desc, s.association desc, s.basket_product_id collate "C"
    )

    select
        null::integer, b.product_id, o.title, o.price_cents, b.score, b.basket_product_id, b.basket_title,
        b.pair_baskets, b.lift, b.lift_low, b.lift_high, b.association, b.evidence, b.preference, null::integer,
        null::text, null::text
    from (
        -- What is sorted by comes first, where Postgres finds it soonest.
        select
            score + 2 * (preference is not null)::integer as worth, score, association, product_id collate "C" as place,
            product_id, basket_product_id, basket_title, pair_baskets, lift, lift_low, lift_high, evidence, preference
        from best
        order by worth desc, score desc, association desc, place
        offset 0
    ) as b
    cross join lateral (
        select coalesce(f.title, f.product_id) as title, f.price_cents
        from features.ftr_products as f
        where f.as_of = scored_complements.as_of and f.product_id = b.product_id
            and f.is_bundleable and f.price_cents > 0
            and not exists (
                select from ml.applied_rules as r
                where r.run_id = scored_complements.run_id and r.is_applied and (
                    (r.kind = 'veto' and r.product_id = f.product_id)
                    or (r.kind = 'exclude_category' and r.category in (f.category, f.department, f.category_path))
                    or (r.kind = 'price_floor' and r.product_id = f.product_id and f.price_cents < r.floor_cents)
                )
            )
        limit 1
    ) as o
    order by b.worth desc, b.score desc, b.association desc, b.place
$$;

create function serve.complete_basket(
    items text[], budget_cents integer, k integer, customer_id text default null
) returns setof serve.completion
language plpgsql stable security definer set search_path = pg_catalog, serve, pg_temp
-- Planned once a connection: planning takes longer than answering.
set plan_cache_mode = force_generic_plan
rows 10
as $$
#variable_conflict use_column
declare
    shown ops.published;
    named text[];
    basket text[];
    item text;
    customer text := complete_basket.customer_id;
    left_cents bigint := complete_basket.budget_cents;
    completion serve.completion;
    units integer;
    complements integer := 0;
    chosen integer := 0;
    too_dear integer := 0;
    sold_out integer := 0;
begin
    if complete_basket.k is null or complete_basket.k < 1 then
        raise exception 'complete_basket: k must be at least 1, got %', coalesce(complete_basket.k::text, 'null')
        using errcode = 'invalid_parameter_value';
    end if;
    select * into shown from ops.published as p where p.scope = 'personal';
    if not found then
        return next serve.problem('nothing_published', 'No run of personal bundles has been published yet.');
        return;
    end if;
    named := array_remove(coalesce(complete_basket.items, '{}'), null);
    if cardinality(named) = 0 then
        return next serve.problem('empty_basket', 'The basket holds no product.');
        return;
    end if;
    basket := array(
        select f.product_id from features.ftr_products as f
        where f.as_of = shown.as_of and f.product_id = any(named)
    );
    for item in
        select distinct i.item collate "C" as item from unnest(named) as i (item)
        where i.item <> all(basket)
        order by 1
    loop
        return next serve.problem(
            'unknown_product', format('%s is no product that the run published for %s knows.', item, shown.as_of), item
        );
    end loop;
    if cardinality(basket) = 0 then
        return;
    end if;
    if customer is not null and not exists (
        select from ml.candidates as c where c.run_id = shown.run_id and c.customer_id = customer
    ) then
        return next serve.problem(
            'unknown_customer',
            format('The published run knows no preferences of %s: what is suggested suits anybody.', customer)
        );
        customer := null;
    end if;

    for completion in select * from serve.scored_complements(shown.run_id, shown.as_of, basket, customer) loop
        complements := complements + 1;
        if completion.price_cents > left_cents then
            too_dear := too_dear + 1;
            continue;
        end if;
        select s.available_units into units from serve.live_stock as s where s.product_id = completion.product_id;
        if units <= 0 or (not found and exists (select from serve.live_stock)) then
            sold_out := sold_out + 1;
            continue;
        end if;
        chosen := chosen + 1;
        left_cents := left_cents - completion.price_cents;
        completion.rank := chosen;
        completion.available_units := units;
        completion.reason := serve.completion_reason(completion);
        return next completion;
        exit when chosen = complete_basket.k;
    end loop;

    if chosen < complete_basket.k and too_dear > 0 then
        return next serve.problem('nothing_in_budget', format(
            'Of %s products that complete the basket, %s cost more than is left of the budget (%s).',
            complements, too_dear, to_char(left_cents / 100.0, 'FM999999990.00')
        ));
    end if;
    if chosen < complete_basket.k and sold_out > 0 then
        return next serve.problem('out_of_stock', format(
            'Of %s products that complete the basket, %s are out of stock.', complements, sold_out
        ));
    end if;
    if chosen < complete_basket.k and too_dear + sold_out = 0 then
        return next serve.problem('no_association', format(
            'Evidence of going with the basket: %s products, %s asked for.', complements, complete_basket.k
        ));
    end if;
end
$$;
comment on function serve.complete_basket is
'Which k products complete a live basket, from the published run of personal bundles and live stock.

Suggested are complements only: evidence of being bought with a product of the basket, and with none of the basket a substitute or bought together less often than chance (lift_high < 1); not in the basket; bundleable in the published run, with a price, and not forbidden by a merchandiser''s rule it applied; in stock by serve.live_stock. Together they cost no more than budget_cents (null: no limit): the best comes first, and what no longer fits is passed over.

Score: the highest over the products b of the basket of P(i | b), the probability of buying i given b. For a candidate of the customer in the run min(1, P(u, i) * A(b, i)), P being the preference in ml.candidates; these come first. For all others, and for anybody, baskets with both over baskets with b, at most 1; for a pair that was not counted, min(1, share of baskets with i * A(b, i)). On baskets of Complete Journey, weeks after what was learned, this found more of what was hidden than the sum or product of the associations did.

Rows with a problem have neither rank nor product_id, and a shop page leaves them out by: where rank is not null. Whenever there are fewer than k suggestions, a row says why. Columns: see the type serve.completion.';

revoke execute on all functions in schema serve from public;
grant execute on function serve.complete_basket(text[], integer, integer, text) to bundles_analyst;

-- migrate:down
drop schema serve cascade;
drop index ml.associations_by_product_b;
