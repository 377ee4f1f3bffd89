-- migrate:up
-- New products: with what to show them, to whom, and what that is expected to bring. All of it is exploration.

create table ml.launches (
    run_id bigint not null,
    product_id text not null,
    launched_on date,
    is_launched boolean not null,
    partners integer not null check (partners >= 0),
    impressions integer not null check (impressions >= 0),
    budget_impressions integer not null check (budget_impressions >= 0),
    is_pinned boolean not null,
    past_launches integer not null,
    conversion double precision,
    conversion_low double precision,
    conversion_high double precision,
    drawn_conversion double precision,
    list_price_cents integer,
    available_units integer,
    expected_units double precision,
    expected_revenue_cents double precision,
    expected_margin_cents double precision,
    reason text not null,
    is_exploration boolean not null,
    primary key (run_id, product_id)
) partition by list (run_id);
comment on table ml.launches is 'One row a new product: whether it is launched, to how many customers it is shown, and what that is expected to bring.';
comment on column ml.launches.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.launches.product_id is 'The new product.';
comment on column ml.launches.launched_on is 'Day of the launch, or of the first sale where no launch is known; null: neither.';
comment on column ml.launches.is_launched is 'False: a rule, its price or its stock keeps it back, and reason says which.';
comment on column ml.launches.partners is 'Products it is shown with, see ml.launch_partners.';
comment on column ml.launches.impressions is 'Customers it is shown to, see ml.launch_audience.';
comment on column ml.launches.budget_impressions is 'Impressions that the run may spend on all new products together.';
comment on column ml.launches.is_pinned is 'A rule gives it its audience before all others.';
comment on column ml.launches.past_launches is 'Launches of its category in the past that the conversion rests on, beside those of the whole shop.';
comment on column ml.launches.conversion is 'Share of all customers expected to buy it within four weeks; null where no launch of the past says anything.';
comment on column ml.launches.conversion_low is 'Lower end of its 95 % interval.';
comment on column ml.launches.conversion_high is 'Upper end.';
comment on column ml.launches.drawn_conversion is 'The conversion drawn for it, by which the budget was shared out.';
comment on column ml.launches.list_price_cents is 'List price in cents.';
comment on column ml.launches.available_units is 'Units in stock; null where stock is not counted.';
comment on column ml.launches.expected_units is 'Units that the audience is expected to buy within four weeks; null where the conversion is.';
comment on column ml.launches.expected_revenue_cents is 'The same in cents of revenue.';
comment on column ml.launches.expected_margin_cents is 'The same in cents of margin; null where the cost is not known.';
comment on column ml.launches.reason is 'Why it is launched so, or why not, in words.';
comment on column ml.launches.is_exploration is 'True: the impressions are spent to find out.';

create table ml.launch_partners (
    run_id bigint not null,
    product_id text not null,
    partner_rank integer not null check (partner_rank >= 1),
    partner_id text not null,
    association double precision not null,
    association_low double precision not null,
    association_high double precision not null,
    evidence text not null check (evidence in ('category', 'graph', 'blend')),
    pair_baskets integer not null,
    basket_share double precision not null,
    expected_share double precision not null,
    reason text not null,
    primary key (run_id, product_id, partner_rank)
) partition by list (run_id);
comment on table ml.launch_partners is 'One row a new product and product it is shown with.';
comment on column ml.launch_partners.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.launch_partners.product_id is 'The new product.';
comment on column ml.launch_partners.partner_rank is 'Place among its partners, 1 = best.';
comment on column ml.launch_partners.partner_id is 'The established product.';
comment on column ml.launch_partners.association is 'How many times what habits explain they are bought together: estimated by what is like them, and by its first baskets.';
comment on column ml.launch_partners.association_low is 'Lower end of its 95 % interval.';
comment on column ml.launch_partners.association_high is 'Upper end.';
comment on column ml.launch_partners.evidence is 'What the estimate rests on: the lift of their categories, of their attributes (graph), or both (blend).';
comment on column ml.launch_partners.pair_baskets is 'Baskets so far with both.';
comment on column ml.launch_partners.basket_share is 'Share of all baskets that hold the partner.';
comment on column ml.launch_partners.expected_share is 'Share of the new product''s baskets expected to hold the partner.';
comment on column ml.launch_partners.reason is 'Why, in words.';

create table ml.launch_audience (
    run_id bigint not null,
    product_id text not null,
    customer_id text not null,
    audience_rank integer not null check (audience_rank >= 1),
    interest double precision not null,
    expected_probability double precision,
    reason text not null,
    is_exploration boolean not null,
    primary key (run_id, product_id, customer_id)
) partition by list (run_id);
comment on table ml.launch_audience is 'One row a new product and customer who is shown it: one impression.';
comment on column ml.launch_audience.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.launch_audience.product_id is 'The new product.';
comment on column ml.launch_audience.customer_id is 'Who is shown it.';
comment on column ml.launch_audience.audience_rank is 'Place among those shown it, 1 = most interested.';
comment on column ml.launch_audience.interest is 'Interest relative to the average customer''s, which is 1.';
comment on column ml.launch_audience.expected_probability is 'Probability of buying it within four weeks; null where the conversion is not known.';
comment on column ml.launch_audience.reason is 'Why this customer, in words.';
comment on column ml.launch_audience.is_exploration is 'True: the impression is spent to find out.';

grant select, insert, delete on ml.launches, ml.launch_partners, ml.launch_audience to bundles_ml;
grant select on ml.launches, ml.launch_partners, ml.launch_audience to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.launch_audience, ml.launch_partners, ml.launches;
