-- migrate:up
-- What service staff should know about a customer, and what calls for attention today.

create table ml.customer_cards (
    run_id bigint not null,
    customer_id text not null,
    visits integer not null,
    last_visit_on date,
    expected_next_visit_on date,
    interests text[] not null,
    suggested_bundle_id text,
    bundle_reason text,
    lapse_risk double precision,
    lapse_risk_low double precision,
    lapse_risk_high double precision,
    usual_risk double precision,
    talking_points text[] not null,
    note text,
    primary key (run_id, customer_id)
) partition by list (run_id);
comment on table ml.customer_cards is 'One row a customer: a short card for service staff. Nothing on it is about what the list of sensitive categories names.';
comment on column ml.customer_cards.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.customer_cards.customer_id is 'The customer.';
comment on column ml.customer_cards.visits is 'Baskets so far.';
comment on column ml.customer_cards.last_visit_on is 'Day of the last of them; null without any.';
comment on column ml.customer_cards.expected_next_visit_on is 'The last visit and one mean gap, but not before the next day; null with fewer than two visits.';
comment on column ml.customer_cards.interests is 'Categories with most signs of interest in the last four weeks, most first.';
comment on column ml.customer_cards.suggested_bundle_id is 'Bundle of the day''s personal run to suggest; null where none may be.';
comment on column ml.customer_cards.bundle_reason is 'Why this bundle, in words.';
comment on column ml.customer_cards.lapse_risk is 'Probability of no visit within four weeks; null where too little is known.';
comment on column ml.customer_cards.lapse_risk_low is 'Lower end of its 95 % interval.';
comment on column ml.customer_cards.lapse_risk_high is 'Upper end.';
comment on column ml.customer_cards.usual_risk is 'The same probability by the customer''s mean gap alone, visits at random.';
comment on column ml.customer_cards.talking_points is 'What to say, in words.';
comment on column ml.customer_cards.note is 'What is not known and why, in words; null where nothing lacks.';

create table ml.due_repurchases (
    run_id bigint not null,
    customer_id text not null,
    product_id text not null,
    due_rank integer not null check (due_rank >= 1),
    due_on date not null,
    probability double precision not null,
    baskets integer not null,
    mean_gap_days double precision not null,
    last_on date not null,
    primary key (run_id, customer_id, product_id)
) partition by list (run_id);
comment on table ml.due_repurchases is 'One row a customer and product that they buy with a rhythm and are about to need again.';
comment on column ml.due_repurchases.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.due_repurchases.customer_id is 'The customer.';
comment on column ml.due_repurchases.product_id is 'The product.';
comment on column ml.due_repurchases.due_rank is 'Place among what is due for the customer, 1 = likeliest.';
comment on column ml.due_repurchases.due_on is 'The last purchase and one mean gap; the next day where that is over.';
comment on column ml.due_repurchases.probability is 'Probability of being bought within two weeks.';
comment on column ml.due_repurchases.baskets is 'The customer''s baskets with the product.';
comment on column ml.due_repurchases.mean_gap_days is 'Mean days between them.';
comment on column ml.due_repurchases.last_on is 'Day of the last of them.';

create table ml.care_alerts (
    run_id bigint not null,
    customer_id text not null,
    kind text not null check (kind in ('lapse_risk', 'interest_spike', 'favourite_sold_out')),
    subject text not null,
    product_id text,
    category text,
    priority integer not null check (priority >= 1),
    at_stake_cents double precision,
    is_within_cap boolean not null,
    detail text not null,
    primary key (run_id, customer_id, kind, subject)
) partition by list (run_id);
comment on table ml.care_alerts is 'One row an alert about a customer; those beyond the daily cap stay, to be counted.';
comment on column ml.care_alerts.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.care_alerts.customer_id is 'The customer.';
comment on column ml.care_alerts.kind is 'lapse_risk: about to stay away; interest_spike: turns to a category far more than usual; favourite_sold_out: a product often bought has no unit in stock.';
comment on column ml.care_alerts.subject is 'Product or category it is about; empty for lapse_risk.';
comment on column ml.care_alerts.product_id is 'Product it is about; null for the other kinds.';
comment on column ml.care_alerts.category is 'Category it is about; null for lapse_risk.';
comment on column ml.care_alerts.priority is 'Place among all alerts of the day by what is at stake, 1 = first.';
comment on column ml.care_alerts.at_stake_cents is 'Cents at stake in the next four weeks; null where no price is known.';
comment on column ml.care_alerts.is_within_cap is 'Whether it reaches the staff today.';
comment on column ml.care_alerts.detail is 'The numbers behind it, in words.';

grant select, insert, delete on ml.customer_cards, ml.due_repurchases, ml.care_alerts to bundles_ml;
grant select on ml.customer_cards, ml.due_repurchases, ml.care_alerts to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.care_alerts, ml.due_repurchases, ml.customer_cards;
