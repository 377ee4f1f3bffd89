-- migrate:up
-- The same answers sooner: the best pairs are sorted out first, and nobody walks through all that cost too much.

-- dbt makes the tables of schema features after the migrations.
set local check_function_bodies = off;

drop function if exists serve.scored_complements(bigint, date, text[], text);

-- What completes a basket, whatever it costs and however many are left, best first: of the best pairs of basket and
-- other products, as many as `most` says (null: all). Sorting all pairs of a popular product takes longer than the rest
-- of the answer. Products are looked up in this order, so that a caller who has enough stops the looking up. The
-- caller's plan takes the query in; therefore it has neither rights nor settings of its own.
create or replace function serve.scored_complements(
    run_id bigint, as_of date, basket text[], customer_id text, most integer
)
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

    -- The best pair of a product comes before its others, so that the first pairs hold the best ones of their products.
    first_pairs as (
        select s.*, s.score + 2 * (s.preference is not null)::integer as worth
        from scored as s
        order by worth desc, s.score desc, s.association desc, s.product_id collate "C", s.basket_product_id collate "C"
        limit scored_complements.most
    ),

    best as (
        select distinct on (s.product_id collate "C") *
        from first_pairs as s
        order by s.product_id collate "C", s.worth desc, s.score desc, s.association desc, s.basket_product_id collate "C"
    )

    select
        null::integer, b.product_id, o.title, o.price_cents, b.score, b.basket_product_id, b.basket_title,
        b.pair_baskets, b.lift, b.lift_low, b.lift_high, b.association, b.evidence, b.preference, null::integer,
        null::text, null::text
    from (
        select best.*, best.product_id collate "C" as place
        from best
        order by best.worth desc, best.score desc, best.association desc, place
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

create or replace function serve.complete_basket(
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
    cheapest_cents integer;
    most integer;
    done integer;
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

    -- The best pairs are enough for most baskets; where they are not, the others follow in the same order.
    foreach most in array array[100, null] loop
        done := complements;
        for completion in
            select * from serve.scored_complements(shown.run_id, shown.as_of, basket, customer, most) offset done
        loop
            complements := complements + 1;
            if completion.price_cents > left_cents then
                too_dear := too_dear + 1;
                if cheapest_cents is null then
                    cheapest_cents := (
                        select min(f.price_cents) from features.ftr_products as f
                        where f.as_of = shown.as_of and f.is_bundleable and f.price_cents > 0
                    );
                end if;
                -- Nothing that follows can be paid for either.
                exit when left_cents < cheapest_cents;
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
        exit when chosen = complete_basket.k or left_cents < cheapest_cents;
    end loop;

    if chosen < complete_basket.k and too_dear > 0 then
        return next serve.problem('nothing_in_budget', case
            when left_cents < cheapest_cents then format(
                'What is left of the budget (%s) buys nothing: the cheapest product costs %s.',
                to_char(left_cents / 100.0, 'FM999999990.00'), to_char(cheapest_cents / 100.0, 'FM999999990.00')
            )
            else format(
                'Of %s products that complete the basket, %s cost more than is left of the budget (%s).',
                complements, too_dear, to_char(left_cents / 100.0, 'FM999999990.00')
            )
        end);
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
revoke execute on function serve.scored_complements(bigint, date, text[], text, integer) from public;

-- migrate:down
-- Nothing: the functions before gave the same answers, slower, and go with the schema.
