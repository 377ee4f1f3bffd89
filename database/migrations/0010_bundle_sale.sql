-- migrate:up
-- Bundles for everybody and their prices, and how demand follows prices.

create table ml.elasticities (
    run_id bigint not null,
    product_id text not null,
    elasticity double precision not null check (elasticity <= 0),
    low double precision not null,
    high double precision not null check (high <= 0),
    level text not null check (level in ('product', 'category', 'shop')),
    weeks integer not null,
    own_estimate double precision,
    primary key (run_id, product_id)
) partition by list (run_id);
comment on table ml.elasticities is 'One row a product: how much its units follow its price.';
comment on column ml.elasticities.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.elasticities.product_id is 'Product.';
comment on column ml.elasticities.elasticity is
'Percent of units per percent of price, <= 0: own price changes, drawn to those of category and shop.';
comment on column ml.elasticities.low is 'Lower end of its 95 % interval.';
comment on column ml.elasticities.high is 'Upper end.';
comment on column ml.elasticities.level is 'Whose prices it rests on for the most part: product, category or shop.';
comment on column ml.elasticities.weeks is 'Weeks in the product''s own estimate; 0: none.';
comment on column ml.elasticities.own_estimate is
'The product''s own estimate before it was drawn to the others, any sign; null: none.';

create table ml.bundle_prices (
    run_id bigint not null,
    bundle_key text not null,
    bundle_rank integer not null,
    product_ids text[] not null,
    bundle_size integer not null check (bundle_size >= 2),
    is_discounted boolean not null,
    list_price_cents integer not null check (list_price_cents > 0),
    bundle_price_cents integer not null check (bundle_price_cents > 0),
    discount_cents integer not null check (discount_cents >= 0),
    discount_share double precision not null,
    bundle_margin_cents double precision not null,
    customers integer not null,
    units_at_list double precision not null check (units_at_list >= 0),
    units_at_price double precision not null check (units_at_price >= 0),
    attach_at_list double precision not null check (attach_at_list >= 0 and attach_at_list <= 1),
    attach_at_price double precision not null check (attach_at_price >= 0 and attach_at_price <= 1),
    cannibalised_units double precision not null check (cannibalised_units >= 0),
    diverted_units double precision not null check (diverted_units >= 0),
    pull_forward_units double precision not null check (pull_forward_units >= 0),
    incremental_units double precision not null,
    units_sensitive double precision not null check (units_sensitive >= 0),
    units_insensitive double precision not null check (units_insensitive >= 0),
    expected_incremental_margin_cents double precision not null,
    margin_low_cents double precision not null,
    margin_high_cents double precision not null,
    elasticity_level text not null check (elasticity_level in ('product', 'category', 'shop')),
    demand_source text not null check (demand_source in ('demand_model', 'recent_mean')),
    margin_note text,
    reason text not null,
    objective double precision not null,
    upper_bound double precision not null,
    gap_pct double precision not null check (gap_pct >= 0),
    primary key (run_id, bundle_key)
) partition by list (run_id);
comment on table ml.bundle_prices is
'One row a bundle of the sale: its price, the same for everybody, and what is expected of it beyond no sale.';
comment on column ml.bundle_prices.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.bundle_prices.bundle_key is 'Name of the product set: the same set always has the same.';
comment on column ml.bundle_prices.bundle_rank is '1 = highest expected incremental margin.';
comment on column ml.bundle_prices.product_ids is 'Identifiers of the products, ascending.';
comment on column ml.bundle_prices.bundle_size is 'Products in the bundle.';
comment on column ml.bundle_prices.is_discounted is
'False: at list price, as every discount would lose; reason says by how much.';
comment on column ml.bundle_prices.list_price_cents is 'Sum of the list prices in cents.';
comment on column ml.bundle_prices.bundle_price_cents is 'Price of the bundle in cents.';
comment on column ml.bundle_prices.discount_cents is 'list_price_cents - bundle_price_cents.';
comment on column ml.bundle_prices.discount_share is 'discount_cents / list_price_cents.';
comment on column ml.bundle_prices.bundle_margin_cents is
'bundle_price_cents less the costs of the products, in cents.';
comment on column ml.bundle_prices.customers is
'Customers who have the set as a personal bundle in the run it comes from.';
comment on column ml.bundle_prices.units_at_list is 'Bundles expected in the days of the sale without any sale.';
comment on column ml.bundle_prices.units_at_price is 'Bundles expected at this price.';
comment on column ml.bundle_prices.attach_at_list is
'Of the baskets with all products or all but one, the share with all, without any sale.';
comment on column ml.bundle_prices.attach_at_price is 'The same at this price.';
comment on column ml.bundle_prices.cannibalised_units is
'Bundles that would have been bought anyway and now cost less.';
comment on column ml.bundle_prices.diverted_units is
'Of the extra bundles, those that rivals of the same category lose.';
comment on column ml.bundle_prices.pull_forward_units is 'Of the extra bundles, those bought earlier than otherwise.';
comment on column ml.bundle_prices.incremental_units is
'units_at_price - units_at_list - diverted_units - pull_forward_units.';
comment on column ml.bundle_prices.units_sensitive is
'Of units_at_price, those of customers who buy at a discount more often than the median; the price is the same.';
comment on column ml.bundle_prices.units_insensitive is 'Those of all others.';
comment on column ml.bundle_prices.expected_incremental_margin_cents is
'Expected margin of the sale of this bundle less that of no sale, in cents.';
comment on column ml.bundle_prices.margin_low_cents is 'Lower end of its 95 % interval.';
comment on column ml.bundle_prices.margin_high_cents is 'Upper end.';
comment on column ml.bundle_prices.elasticity_level is 'Coarsest level that an elasticity of its products rests on.';
comment on column ml.bundle_prices.demand_source is 'What the level of demand at the usual price rests on.';
comment on column ml.bundle_prices.margin_note is 'What to know of its costs; null: all known.';
comment on column ml.bundle_prices.reason is 'Why this bundle at this price, in words.';
comment on column ml.bundle_prices.objective is 'Expected incremental margin of all bundles of the sale, in cents.';
comment on column ml.bundle_prices.upper_bound is
'No disjoint choice of as many candidates at their best prices brings more.';
comment on column ml.bundle_prices.gap_pct is 'How far the bound lies above the objective, in percent.';

create table ml.bundle_price_items (
    run_id bigint not null,
    bundle_key text not null,
    position integer not null,
    product_id text not null,
    list_price_cents integer not null check (list_price_cents > 0),
    price_cents integer not null check (price_cents > 0),
    discount_cents integer not null check (discount_cents >= 0),
    primary key (run_id, bundle_key, position)
) partition by list (run_id);
comment on table ml.bundle_price_items is
'One row a product of a bundle of the sale: what is paid for it, which is what a return refunds.';
comment on column ml.bundle_price_items.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.bundle_price_items.bundle_key is 'Bundle.';
comment on column ml.bundle_price_items.position is 'Place in the bundle, from 1.';
comment on column ml.bundle_price_items.product_id is 'Product.';
comment on column ml.bundle_price_items.list_price_cents is 'List price in cents.';
comment on column ml.bundle_price_items.price_cents is
'What is paid for it within the bundle, and refunded when it comes back, in cents.';
comment on column ml.bundle_price_items.discount_cents is 'list_price_cents - price_cents.';

grant select, insert, delete on ml.elasticities, ml.bundle_prices, ml.bundle_price_items to bundles_ml;
grant select on ml.elasticities, ml.bundle_prices, ml.bundle_price_items
to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.bundle_price_items, ml.bundle_prices, ml.elasticities;
