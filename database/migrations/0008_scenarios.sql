-- migrate:up
-- What all scenarios share: the merchandiser's rules, what they cost, how each scenario did, and what it lacked.

create table raw.merch_rules (
    rule_id text not null,
    kind text not null check (kind in ('pin', 'veto', 'must_include', 'exclude_category', 'price_floor')),
    product_id text,
    category text,
    scenario text check (
        scenario in ('personal', 'cross_category', 'bundle_sale', 'replenishment', 'launch', 'customer_care')
    ),
    floor_cents integer check (floor_cents >= 0),
    starts_on date,
    ends_on date,
    author text not null,
    reason text not null,
    load_id bigint,
    primary key (rule_id)
);
comment on table raw.merch_rules is
'Optional. One row a rule of a merchandiser; a newer delivery replaces the row. The next run of every scenario obeys.';
comment on column raw.merch_rules.rule_id is 'Key of the rule.';
comment on column raw.merch_rules.kind is
'pin: in every bundle, promotion or list; veto: in none; must_include: each holds at least one product of such rules; exclude_category: veto of a category; price_floor: never offered below floor_cents.';
comment on column raw.merch_rules.product_id is 'Product the rule is about; null for exclude_category.';
comment on column raw.merch_rules.category is 'Category or department the rule is about; null for all but exclude_category.';
comment on column raw.merch_rules.scenario is 'Scenario the rule is for; null: all.';
comment on column raw.merch_rules.floor_cents is 'Lowest price of one unit in cents, of a price_floor.';
comment on column raw.merch_rules.starts_on is 'First day; null: always.';
comment on column raw.merch_rules.ends_on is 'Last day, inclusive; null: until it is taken away.';
comment on column raw.merch_rules.author is 'Who made the rule.';
comment on column raw.merch_rules.reason is 'Why, in words.';
comment on column raw.merch_rules.load_id is 'Delivery that brought the row; null: written into the table by hand.';

create table ml.applied_rules (
    run_id bigint not null,
    rule_id text not null,
    kind text not null,
    product_id text,
    category text,
    floor_cents integer,
    author text not null,
    reason text not null,
    is_applied boolean not null,
    detail text not null,
    primary key (run_id, rule_id)
) partition by list (run_id);
comment on table ml.applied_rules is 'One row a rule of a merchandiser that was in force when the run began.';
comment on column ml.applied_rules.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.applied_rules.rule_id is 'Key of the rule.';
comment on column ml.applied_rules.kind is 'What the rule asks for, see raw.merch_rules.';
comment on column ml.applied_rules.product_id is 'Product the rule is about.';
comment on column ml.applied_rules.category is 'Category the rule is about.';
comment on column ml.applied_rules.floor_cents is 'Lowest price in cents, of a price_floor.';
comment on column ml.applied_rules.author is 'Who made the rule.';
comment on column ml.applied_rules.reason is 'Why, in words.';
comment on column ml.applied_rules.is_applied is 'False: it could not be obeyed, and detail says why.';
comment on column ml.applied_rules.detail is 'What it came to: the products it touches, or why it could not be obeyed.';

create table ml.rule_costs (
    run_id bigint not null,
    rule_id text not null,
    measure text not null check (measure in ('expected_margin_cents', 'expected_revenue_cents')),
    value_with double precision not null,
    value_without double precision not null,
    cost double precision not null,
    detail text not null,
    primary key (run_id, rule_id)
) partition by list (run_id);
comment on table ml.rule_costs is 'One row a rule that the run obeyed: what it cost, found by solving again without it.';
comment on column ml.rule_costs.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.rule_costs.rule_id is 'Key of the rule.';
comment on column ml.rule_costs.measure is
'What is compared: expected margin, or expected revenue where the shop gives no costs.';
comment on column ml.rule_costs.value_with is 'The measure with all rules, in cents.';
comment on column ml.rule_costs.value_without is 'The measure of what would be chosen without this rule, all others kept, in cents.';
comment on column ml.rule_costs.cost is
'value_without - value_with in cents; below 0 where the rule happens to raise the measure, which the run does not maximise alone.';
comment on column ml.rule_costs.detail is 'What was solved again, in words.';

create table ml.scenario_metrics (
    run_id bigint not null,
    kpi text not null,
    variant text not null,
    value double precision not null,
    low double precision,
    high double precision,
    unit text not null,
    peer text,
    peer_value double precision,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    cases integer not null,
    judged_on text not null,
    primary key (run_id, kpi, variant)
) partition by list (run_id);
comment on table ml.scenario_metrics is 'One row a number by which the run''s scenario is judged, beside the rule that a shop uses today.';
comment on column ml.scenario_metrics.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.scenario_metrics.kpi is 'Name of the number.';
comment on column ml.scenario_metrics.variant is 'What it is about, where there are several; all otherwise.';
comment on column ml.scenario_metrics.value is 'The number.';
comment on column ml.scenario_metrics.low is 'Lower end of its 95 % interval; null where there is none.';
comment on column ml.scenario_metrics.high is 'Upper end.';
comment on column ml.scenario_metrics.unit is 'What it is measured in.';
comment on column ml.scenario_metrics.peer is 'The rule it is compared with; null: none.';
comment on column ml.scenario_metrics.peer_value is 'The same number of that rule.';
comment on column ml.scenario_metrics.difference is 'value - peer_value, paired.';
comment on column ml.scenario_metrics.difference_low is 'Lower end of its 95 % interval.';
comment on column ml.scenario_metrics.difference_high is 'Upper end.';
comment on column ml.scenario_metrics.cases is 'Customers, products or bundles it rests on.';
comment on column ml.scenario_metrics.judged_on is 'Days of the data it was judged on, in words.';

create table ml.unavailable (
    run_id bigint not null,
    result text not null,
    reason text not null,
    primary key (run_id, result)
) partition by list (run_id);
comment on table ml.unavailable is 'One row a result that the run could not make, for want of data; the result''s view shows it.';
comment on column ml.unavailable.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.unavailable.result is 'Name of the result table.';
comment on column ml.unavailable.reason is '"not available: needs" and what, in words.';

grant select, insert, update on raw.merch_rules to bundles_loader;
grant select on raw.merch_rules to bundles_transformer;
grant select, insert, delete on ml.applied_rules, ml.rule_costs, ml.scenario_metrics, ml.unavailable to bundles_ml;
grant select on ml.applied_rules, ml.rule_costs, ml.scenario_metrics, ml.unavailable
to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.unavailable, ml.scenario_metrics, ml.rule_costs, ml.applied_rules, raw.merch_rules;
