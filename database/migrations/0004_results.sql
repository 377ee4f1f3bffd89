-- migrate:up
-- Results of runs: one partition a run, made by ops.open_run, dropped by ops.drop_old_runs. A run without a row in
-- ops.runs has no partition, so its rows are refused without a foreign key, which would cost a check a row and a lock
-- on ops.runs for each partition that is dropped. Only ml.policy_metrics and ml.why_not are ordinary tables.

create table ml.candidates (
    run_id bigint not null,
    customer_id text not null,
    product_id text not null,
    preference double precision not null check (preference >= 0 and preference <= 1),
    sources text[] not null,
    candidate_rank integer not null,
    basket_spread double precision not null check (basket_spread >= 0),
    primary key (run_id, customer_id, product_id)
) partition by list (run_id);
comment on table ml.candidates is 'One row a product that may enter a customer''s bundle.';
comment on column ml.candidates.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.candidates.customer_id is 'Customer.';
comment on column ml.candidates.product_id is 'Candidate.';
comment on column ml.candidates.preference is 'Calibrated probability that the customer''s next basket holds the product.';
comment on column ml.candidates.sources is 'Who proposed it.';
comment on column ml.candidates.candidate_rank is '1 = highest preference.';
comment on column ml.candidates.basket_spread is
'How much more often than independently two products share a basket of the customer, because the baskets differ in size.';

create table ml.given_candidates (
    run_id bigint not null,
    customer_id text not null,
    product_id text not null,
    preference double precision not null check (preference >= 0 and preference <= 1),
    sources text[] not null,
    primary key (run_id, customer_id, product_id)
) partition by list (run_id);
comment on table ml.given_candidates is
'One row a product of the shop''s own bundles that is no candidate of the customer: scored so that those bundles can be valued, unknown to the optimizer.';
comment on column ml.given_candidates.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.given_candidates.customer_id is 'Customer.';
comment on column ml.given_candidates.product_id is 'Product.';
comment on column ml.given_candidates.preference is 'Calibrated probability that the customer''s next basket holds the product.';
comment on column ml.given_candidates.sources is 'Who proposed it.';

create table ml.associations (
    run_id bigint not null,
    product_a text not null,
    product_b text not null,
    pair_baskets integer not null,
    expected_baskets double precision not null,
    lift double precision not null,
    lift_low double precision not null,
    lift_high double precision not null,
    association double precision not null check (association >= 0),
    relation text not null check (relation in ('complement', 'substitute', 'undecided')),
    primary key (run_id, product_a, product_b)
) partition by list (run_id);
comment on table ml.associations is 'One row a pair with evidence, or of substitutes, among the candidates and the products of the shop''s own bundles.';
comment on column ml.associations.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.associations.product_a is 'First product, the smaller key.';
comment on column ml.associations.product_b is 'Second product.';
comment on column ml.associations.pair_baskets is 'Baskets of known customers with both, without those of one who outweighs all others.';
comment on column ml.associations.expected_baskets is 'Baskets with both if each customer bought at random from their own habits.';
comment on column ml.associations.lift is 'pair_baskets / expected_baskets without shrinkage.';
comment on column ml.associations.lift_low is 'Lower end of the 95 % interval.';
comment on column ml.associations.lift_high is 'Upper end of the 95 % interval.';
comment on column ml.associations.association is 'Shrunk size-adjusted lift used by the optimizer; 0 for substitutes without evidence of meeting.';
comment on column ml.associations.relation is 'What the two are to each other: complement, substitute or undecided.';

create table ml.bundles (
    run_id bigint not null,
    bundle_id text not null,
    customer_id text not null,
    bundle_rank integer not null,
    policy text not null,
    solver text not null,
    candidate_set text not null,
    candidates integer not null,
    bundle_size integer not null,
    objective double precision not null,
    upper_bound double precision not null,
    gap_pct double precision not null,
    status text not null check (status in ('optimal', 'feasible', 'abstained')),
    joint_probability double precision not null check (joint_probability >= 0 and joint_probability <= 1),
    list_price_cents integer not null,
    bundle_price_cents integer not null,
    expected_revenue_cents double precision not null,
    margin_cents integer,
    expected_margin_cents double precision,
    margin_note text,
    reason text,
    fallback_reason text,
    held_back_by text check (held_back_by in ('stock', 'change_budget')),
    is_kept boolean not null,
    lost_to text[] not null default '{}' check (lost_to <@ '{stock,change_budget}'),
    primary key (run_id, bundle_id)
) partition by list (run_id);
comment on table ml.bundles is 'One row a bundle, or a customer''s abstention.';
comment on column ml.bundles.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.bundles.bundle_id is 'Key of the bundle within the run.';
comment on column ml.bundles.customer_id is 'For whom.';
comment on column ml.bundles.bundle_rank is '1 = best; 0 = abstention.';
comment on column ml.bundles.policy is 'Objective maximised.';
comment on column ml.bundles.solver is 'Who searched; stock_coupled: the bundle comes from the assignment of shared stock.';
comment on column ml.bundles.candidate_set is 'Name of the set the certificate speaks of.';
comment on column ml.bundles.candidates is 'Size of that set.';
comment on column ml.bundles.bundle_size is 'Products in the bundle.';
comment on column ml.bundles.objective is 'Value reached.';
comment on column ml.bundles.upper_bound is 'Proven: no bundle of the candidate set is worth more.';
comment on column ml.bundles.gap_pct is '(upper_bound - objective) / upper_bound in percent.';
comment on column ml.bundles.status is 'optimal = proven.';
comment on column ml.bundles.joint_probability is 'Estimated probability that the next basket holds all products.';
comment on column ml.bundles.list_price_cents is 'Sum of list prices.';
comment on column ml.bundles.bundle_price_cents is 'Price of the bundle.';
comment on column ml.bundles.expected_revenue_cents is 'joint_probability * bundle_price_cents.';
comment on column ml.bundles.margin_cents is 'Margin of the bundle; null: cost unknown.';
comment on column ml.bundles.expected_margin_cents is 'joint_probability * margin_cents.';
comment on column ml.bundles.margin_note is 'Why the margin is unknown.';
comment on column ml.bundles.reason is 'Reason in words.';
comment on column ml.bundles.fallback_reason is 'Why there is no bundle.';
comment on column ml.bundles.held_back_by is
'Why the bundle is not the customer''s best one alone: stock or change_budget; null: nothing held it back.';
comment on column ml.bundles.is_kept is 'The bundle was live before and stays; told of runs with a change budget only.';
comment on column ml.bundles.lost_to is
'What took each bundle that the customer would have had besides: stock or change_budget; on the row of the last bundle that is left, or the abstention.';

create table ml.bundle_items (
    run_id bigint not null,
    bundle_id text not null,
    position integer not null,
    product_id text not null,
    preference double precision not null,
    list_price_cents integer not null,
    price_cents integer not null,
    sources text[] not null,
    primary key (run_id, bundle_id, position)
) partition by list (run_id);
comment on table ml.bundle_items is 'One row a product of a bundle.';
comment on column ml.bundle_items.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.bundle_items.bundle_id is 'Bundle.';
comment on column ml.bundle_items.position is '1 = highest preference.';
comment on column ml.bundle_items.product_id is 'Product.';
comment on column ml.bundle_items.preference is 'Probability of the product alone.';
comment on column ml.bundle_items.list_price_cents is 'List price.';
comment on column ml.bundle_items.price_cents is 'Price within the bundle.';
comment on column ml.bundle_items.sources is 'Who proposed it.';

-- No partitions: a run of the models leaves some 25 rows, and all of them stay, since people follow them over time.
create table ml.policy_metrics (
    run_id bigint not null references ops.runs (run_id),
    policy text not null,
    metric text not null,
    variant text not null,
    value double precision not null,
    low double precision not null,
    high double precision not null,
    compared_with text,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    customers integer not null,
    window_from date not null,
    window_to date not null,
    primary key (run_id, policy, metric, variant)
);
comment on table ml.policy_metrics is 'One row a metric of a policy on held-out baskets.';
comment on column ml.policy_metrics.run_id is 'Run that wrote the row.';
comment on column ml.policy_metrics.policy is 'Policy.';
comment on column ml.policy_metrics.metric is 'Metric.';
comment on column ml.policy_metrics.variant is 'plain or cross_sell.';
comment on column ml.policy_metrics.value is 'Mean over customers.';
comment on column ml.policy_metrics.low is 'Lower end of the 95 % bootstrap interval.';
comment on column ml.policy_metrics.high is 'Upper end.';
comment on column ml.policy_metrics.compared_with is 'Policy it is compared with, customer by customer.';
comment on column ml.policy_metrics.difference is 'Mean paired difference.';
comment on column ml.policy_metrics.difference_low is 'Lower end of its interval.';
comment on column ml.policy_metrics.difference_high is 'Upper end.';
comment on column ml.policy_metrics.customers is 'Customers measured.';
comment on column ml.policy_metrics.window_from is 'First held-out day.';
comment on column ml.policy_metrics.window_to is 'Last held-out day.';

create table ml.catalogue_gaps (
    run_id bigint not null,
    customer_id text not null,
    objective double precision not null,
    catalogue_bound double precision not null,
    gap_pct double precision not null,
    catalogue_products integer not null,
    primary key (run_id, customer_id)
) partition by list (run_id);
comment on table ml.catalogue_gaps is 'One row a sampled customer: the bundle against the full catalogue.';
comment on column ml.catalogue_gaps.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.catalogue_gaps.customer_id is 'Customer.';
comment on column ml.catalogue_gaps.objective is 'Value of the published bundle.';
comment on column ml.catalogue_gaps.catalogue_bound is 'Best value any bundle of the whole catalogue can have.';
comment on column ml.catalogue_gaps.gap_pct is '(catalogue_bound - objective) / catalogue_bound in percent.';
comment on column ml.catalogue_gaps.catalogue_products is 'Products in the catalogue.';

create table ml.shadow_prices (
    run_id bigint not null,
    product_id text not null,
    available_units integer not null,
    capacity_units integer not null,
    promised_units integer not null,
    expected_units double precision not null,
    promised_share double precision not null,
    expected_share double precision not null,
    shadow_price double precision not null,
    primary key (run_id, product_id)
) partition by list (run_id);
comment on table ml.shadow_prices is 'One row a product whose stock the customers share.';
comment on column ml.shadow_prices.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.shadow_prices.product_id is 'Product.';
comment on column ml.shadow_prices.available_units is 'Units in stock.';
comment on column ml.shadow_prices.capacity_units is 'Offers that may hold the product in this run.';
comment on column ml.shadow_prices.promised_units is 'Offers that hold it.';
comment on column ml.shadow_prices.expected_units is 'Units that these offers are expected to sell.';
comment on column ml.shadow_prices.promised_share is 'promised_units / available_units.';
comment on column ml.shadow_prices.expected_share is 'expected_units / available_units.';
comment on column ml.shadow_prices.shadow_price is
'What one more offer with the product would add to the objective of all customers; at least 0.';

create table ml.catalogue_bundles (
    run_id bigint not null,
    bundle_rank integer not null,
    product_ids text[] not null,
    bundle_size integer not null,
    list_price_cents integer not null,
    customers integer not null,
    gain double precision not null,
    coverage double precision not null,
    upper_bound double precision not null,
    gap_pct double precision not null,
    reason text not null,
    primary key (run_id, bundle_rank)
) partition by list (run_id);
comment on table ml.catalogue_bundles is
'One row a bundle that the shop lists for everybody, chosen among those that customers get in the run (2,000 at most).';
comment on column ml.catalogue_bundles.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.catalogue_bundles.bundle_rank is 'Place on the list; 1 was chosen first.';
comment on column ml.catalogue_bundles.product_ids is 'Products of the bundle.';
comment on column ml.catalogue_bundles.bundle_size is 'How many they are.';
comment on column ml.catalogue_bundles.list_price_cents is 'Sum of list prices.';
comment on column ml.catalogue_bundles.customers is 'Customers for whom it is the best of the list.';
comment on column ml.catalogue_bundles.gain is 'What it adds to the coverage of the bundles before it.';
comment on column ml.catalogue_bundles.coverage is
'Sum over customers of the value of the best bundle of the list so far.';
comment on column ml.catalogue_bundles.upper_bound is
'Proven: no list of as many bundles covers more, where all are of those the list was chosen among.';
comment on column ml.catalogue_bundles.gap_pct is
'(upper_bound - coverage of the whole list) / upper_bound in percent; the same in every row.';
comment on column ml.catalogue_bundles.reason is 'Whom it serves and what speaks for its pairs, in words.';

create table ml.given_bundle_ranks (
    run_id bigint not null,
    customer_id text not null,
    given_bundle_id text not null,
    bundle_rank integer,
    objective double precision,
    joint_probability double precision check (joint_probability >= 0 and joint_probability <= 1),
    list_price_cents integer,
    unranked_reason text,
    primary key (run_id, customer_id, given_bundle_id),
    check ((bundle_rank is null) = (unranked_reason is not null)),
    check (bundle_rank is null or (objective > 0 and joint_probability is not null and list_price_cents is not null))
) partition by list (run_id);
comment on table ml.given_bundle_ranks is
'One row a customer with candidates and bundle that the shop already sells: its rank for the customer, or why it has none.';
comment on column ml.given_bundle_ranks.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.given_bundle_ranks.customer_id is 'Customer.';
comment on column ml.given_bundle_ranks.given_bundle_id is 'Key of the bundle in the shop''s data.';
comment on column ml.given_bundle_ranks.bundle_rank is '1 = best for the customer; null: see unranked_reason.';
comment on column ml.given_bundle_ranks.objective is 'Value for the customer; null where it cannot be a bundle of the run.';
comment on column ml.given_bundle_ranks.joint_probability is
'Estimated probability that the next basket holds all products; null where it cannot be a bundle of the run.';
comment on column ml.given_bundle_ranks.list_price_cents is 'Sum of list prices; null where a product is not offered.';
comment on column ml.given_bundle_ranks.unranked_reason is
'not_offered:<products>, too_many_products, not_a_candidate:<products>, infeasible:<constraints> or not_worth_showing; null where it has a rank.';

-- No partitions: each row answers what somebody asked about a run, and answers stay when the run's bundles are dropped.
create table ml.why_not (
    run_id bigint not null references ops.runs (run_id),
    customer_id text not null,
    product_key text not null,
    product_ids text[] not null,
    verdict text not null check (
        verdict in (
            'offered', 'part_of_offered', 'ranked_lower', 'overlaps', 'out_of_stock', 'change_budget', 'not_worth_showing',
            'not_found', 'infeasible', 'not_a_candidate'
        )
    ),
    bundle_rank integer,
    objective double precision,
    best_objective double precision not null,
    cost_of_forcing double precision,
    binding text[] not null,
    detail text not null,
    primary key (run_id, customer_id, product_key)
);
comment on table ml.why_not is 'One row a question why a customer is not offered some products together.';
comment on column ml.why_not.run_id is 'Run that was asked about.';
comment on column ml.why_not.customer_id is 'Customer.';
comment on column ml.why_not.product_key is 'Product identifiers, sorted, as a JSON array.';
comment on column ml.why_not.product_ids is 'Products asked about.';
comment on column ml.why_not.verdict is
'offered: they are a bundle; part_of_offered: a bundle holds them and more; ranked_lower: others are worth more; overlaps: they share too much with a bundle that is offered; out_of_stock: one of them is not there, or promised to others; change_budget: live bundles stay instead; not_worth_showing: they are worth nothing, or too unlikely; not_found: the search did not come to them; infeasible: they break a constraint; not_a_candidate: one of them was not considered.';
comment on column ml.why_not.bundle_rank is 'Rank of the offered bundle; else 1 and how many allowed bundles are worth more, as far as they were counted; null where they cannot be one.';
comment on column ml.why_not.objective is 'Value of the products as a bundle; null where they cannot be one.';
comment on column ml.why_not.best_objective is 'Value of the customer''s best bundle.';
comment on column ml.why_not.cost_of_forcing is
'What the customer''s best bundle is worth more than the best one that holds all of these products; null: there is none.';
comment on column ml.why_not.binding is 'Constraints that the products break.';
comment on column ml.why_not.detail is 'The answer in words.';

-- "The bundles of this customer" is the query of every shop page.
create index on ml.bundles (run_id, customer_id);
grant select, insert, delete on all tables in schema ml to bundles_ml;
grant select on all tables in schema ml to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.why_not, ml.given_bundle_ranks, ml.catalogue_bundles, ml.shadow_prices, ml.catalogue_gaps,
    ml.policy_metrics, ml.bundle_items, ml.bundles, ml.associations,
    ml.given_candidates, ml.candidates;
