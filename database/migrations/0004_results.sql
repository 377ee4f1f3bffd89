-- migrate:up
-- Results of runs: one partition a run, made by ops.open_run, dropped by ops.drop_old_runs. A run without a row in
-- ops.runs has no partition, so its rows are refused without a foreign key, which would cost a check a row and a lock
-- on ops.runs for each partition that is dropped. Only ml.policy_metrics is an ordinary table.

create table ml.candidates (
    run_id bigint not null,
    customer_id text not null,
    product_id text not null,
    preference double precision not null check (preference >= 0 and preference <= 1),
    sources text[] not null,
    candidate_rank integer not null,
    primary key (run_id, customer_id, product_id)
) partition by list (run_id);
comment on table ml.candidates is 'One row a product that may enter a customer''s bundle.';
comment on column ml.candidates.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.candidates.customer_id is 'Customer.';
comment on column ml.candidates.product_id is 'Candidate.';
comment on column ml.candidates.preference is 'Calibrated probability that the customer''s next basket holds the product.';
comment on column ml.candidates.sources is 'Who proposed it.';
comment on column ml.candidates.candidate_rank is '1 = highest preference.';

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
    primary key (run_id, product_a, product_b)
) partition by list (run_id);
comment on table ml.associations is 'One row a pair of products among the candidates with evidence.';
comment on column ml.associations.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.associations.product_a is 'First product, the smaller key.';
comment on column ml.associations.product_b is 'Second product.';
comment on column ml.associations.pair_baskets is 'Baskets with both.';
comment on column ml.associations.expected_baskets is 'Baskets with both if each customer bought at random from their own habits.';
comment on column ml.associations.lift is 'pair_baskets / expected_baskets without shrinkage.';
comment on column ml.associations.lift_low is 'Lower end of the 95 % interval.';
comment on column ml.associations.lift_high is 'Upper end of the 95 % interval.';
comment on column ml.associations.association is 'Shrunk size-adjusted lift used by the optimizer.';

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
    primary key (run_id, bundle_id)
) partition by list (run_id);
comment on table ml.bundles is 'One row a bundle, or a customer''s abstention.';
comment on column ml.bundles.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.bundles.bundle_id is 'Key of the bundle within the run.';
comment on column ml.bundles.customer_id is 'For whom.';
comment on column ml.bundles.bundle_rank is '1 = best; 0 = abstention.';
comment on column ml.bundles.policy is 'Objective maximised.';
comment on column ml.bundles.solver is 'Who searched.';
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

-- "The bundles of this customer" is the query of every shop page.
create index on ml.bundles (run_id, customer_id);
grant select, insert, delete on all tables in schema ml to bundles_ml;
grant select on all tables in schema ml to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.catalogue_gaps, ml.policy_metrics, ml.bundle_items, ml.bundles, ml.associations, ml.candidates;
