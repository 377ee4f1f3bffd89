-- migrate:up
-- The raw contract: what a shop delivers. Money is integer cents, instants are UTC.
-- load_id names a row of ops.load_manifest without a foreign key: the loader writes both in one transaction, nobody can
-- delete a manifest row, and a check of each of a million rows against the same one doubles the time of a load.

create table raw.customers (
    customer_id text not null,
    segment text,
    age_band text,
    gender text,
    region text,
    income_band text,
    household_size text,
    signed_up_on date,
    load_id bigint not null,
    primary key (customer_id)
);
comment on table raw.customers is 'One row a customer; a newer delivery replaces the row.';
comment on column raw.customers.customer_id is 'The shop''s own key of the customer.';
comment on column raw.customers.segment is 'Segment name, where the shop has one.';
comment on column raw.customers.age_band is 'Age band as given.';
comment on column raw.customers.gender is 'Gender as given.';
comment on column raw.customers.region is 'Region as given.';
comment on column raw.customers.income_band is 'Income band as given.';
comment on column raw.customers.household_size is 'Household size as given.';
comment on column raw.customers.signed_up_on is 'Day of sign-up.';
comment on column raw.customers.load_id is 'Delivery that brought the row.';

create table raw.products (
    product_id text not null,
    title text,
    brand text,
    category_path text,
    price_cents integer check (price_cents >= 0),
    cost_cents integer check (cost_cents >= 0),
    launched_on date,
    is_active boolean not null default true,
    image_vector real[],
    load_id bigint not null,
    primary key (product_id)
);
comment on table raw.products is 'One row a product of the catalogue; a newer delivery replaces the row.';
comment on column raw.products.product_id is 'The shop''s own key of the product.';
comment on column raw.products.title is 'Name shown to customers.';
comment on column raw.products.brand is 'Brand.';
comment on column raw.products.category_path is 'Category levels from coarse to fine, joined by '' > ''.';
comment on column raw.products.price_cents is 'Catalogue price in cents; null: unknown.';
comment on column raw.products.cost_cents is 'Purchase cost in cents; null: margin unknown.';
comment on column raw.products.launched_on is 'First day on sale.';
comment on column raw.products.is_active is 'False: no longer sold.';
comment on column raw.products.image_vector is 'Embedding of the picture, where the shop has one.';
comment on column raw.products.load_id is 'Delivery that brought the row.';

create table raw.orders (
    order_id text not null,
    customer_id text,
    ordered_at timestamptz not null,
    store_id text,
    channel text,
    status text not null default 'completed' check (status in ('completed', 'cancelled')),
    load_id bigint not null,
    primary key (order_id)
);
comment on table raw.orders is 'One row an order.';
comment on column raw.orders.order_id is 'Key of the order.';
comment on column raw.orders.customer_id is 'Who ordered; null: unknown, used for association only.';
comment on column raw.orders.ordered_at is 'Instant of the order, UTC.';
comment on column raw.orders.store_id is 'Store, where there is one.';
comment on column raw.orders.channel is 'Web, app, store.';
comment on column raw.orders.status is 'Cancelled orders are no sales.';
comment on column raw.orders.load_id is 'Delivery that brought the row.';

create table raw.order_items (
    order_id text not null,
    line_number integer not null,
    product_id text not null,
    quantity integer not null check (quantity <> 0),
    unit_price_cents integer not null check (unit_price_cents >= 0),
    discount_cents integer not null default 0 check (discount_cents >= 0),
    load_id bigint not null,
    primary key (order_id, line_number)
);
comment on table raw.order_items is 'One row a line of an order.';
comment on column raw.order_items.order_id is 'The order.';
comment on column raw.order_items.line_number is 'Position within the order.';
comment on column raw.order_items.product_id is 'What was bought.';
comment on column raw.order_items.quantity is 'Units; negative: a return.';
comment on column raw.order_items.unit_price_cents is 'List price of one unit in cents, before discount.';
comment on column raw.order_items.discount_cents is 'Discount on the whole line in cents.';
comment on column raw.order_items.load_id is 'Delivery that brought the row.';

create table raw.events (
    event_id text not null,
    customer_id text,
    session_id text,
    event_type text not null check (event_type in ('view', 'search', 'cart', 'purchase')),
    product_id text,
    query_text text,
    occurred_at timestamptz not null,
    load_id bigint not null,
    primary key (event_id)
);
comment on table raw.events is 'One row a view, search, cart or purchase event.';
comment on column raw.events.event_id is 'Key of the event.';
comment on column raw.events.customer_id is 'Who; null: unknown.';
comment on column raw.events.session_id is 'Visit the event belongs to.';
comment on column raw.events.event_type is 'What happened.';
comment on column raw.events.product_id is 'Product seen, carted or bought.';
comment on column raw.events.query_text is 'What was searched for.';
comment on column raw.events.occurred_at is 'Instant, UTC.';
comment on column raw.events.load_id is 'Delivery that brought the row.';

create table raw.reviews (
    review_id text not null,
    product_id text not null,
    customer_id text,
    rating smallint not null check (rating between 1 and 5),
    body text,
    reviewed_at timestamptz not null,
    load_id bigint not null,
    primary key (review_id)
);
comment on table raw.reviews is 'One row a review.';
comment on column raw.reviews.review_id is 'Key of the review.';
comment on column raw.reviews.product_id is 'Product reviewed.';
comment on column raw.reviews.customer_id is 'Reviewer; null: unknown.';
comment on column raw.reviews.rating is 'Stars, 1 to 5.';
comment on column raw.reviews.body is 'Text.';
comment on column raw.reviews.reviewed_at is 'Instant, UTC.';
comment on column raw.reviews.load_id is 'Delivery that brought the row.';

create table raw.stock_levels (
    product_id text not null,
    warehouse_id text not null default 'all',
    counted_at timestamptz not null,
    on_hand_units integer not null check (on_hand_units >= 0),
    reserved_units integer not null default 0 check (reserved_units >= 0),
    load_id bigint not null,
    primary key (product_id, warehouse_id, counted_at)
);
comment on table raw.stock_levels is 'One row a count of a product in a warehouse. No rows at all: stock is unlimited.';
comment on column raw.stock_levels.product_id is 'Product counted.';
comment on column raw.stock_levels.warehouse_id is 'Warehouse.';
comment on column raw.stock_levels.counted_at is 'Instant of the count, UTC.';
comment on column raw.stock_levels.on_hand_units is 'Units there.';
comment on column raw.stock_levels.reserved_units is 'Units promised elsewhere.';
comment on column raw.stock_levels.load_id is 'Delivery that brought the row.';

create table raw.promotions (
    promotion_id text not null,
    product_id text not null,
    kind text not null check (kind in ('discount', 'display', 'mailer')),
    discount_share double precision check (discount_share between 0 and 1),
    store_count integer check (store_count >= 0),
    starts_on date not null,
    ends_on date not null,
    load_id bigint not null,
    check (ends_on >= starts_on),
    primary key (promotion_id)
);
comment on table raw.promotions is 'One row a promotion of a product over a period.';
comment on column raw.promotions.promotion_id is 'Key of the promotion.';
comment on column raw.promotions.product_id is 'Product promoted.';
comment on column raw.promotions.kind is 'How.';
comment on column raw.promotions.discount_share is 'Discount as a share of the list price.';
comment on column raw.promotions.store_count is 'Stores that took part.';
comment on column raw.promotions.starts_on is 'First day.';
comment on column raw.promotions.ends_on is 'Last day, inclusive.';
comment on column raw.promotions.load_id is 'Delivery that brought the row.';

create table raw.market_signals (
    signal_id text not null,
    signal_on date not null,
    kind text not null,
    category text,
    product_id text,
    value double precision not null check (value > '-infinity' and value < 'infinity' and value <> 'NaN'),
    load_id bigint not null,
    primary key (signal_id)
);
comment on table raw.market_signals is 'One row a signal about the market on a day.';
comment on column raw.market_signals.signal_id is 'Key of the signal.';
comment on column raw.market_signals.signal_on is 'Day it is about.';
comment on column raw.market_signals.kind is 'For example category_demand or competitor_price.';
comment on column raw.market_signals.category is 'Category it is about.';
comment on column raw.market_signals.product_id is 'Product it is about.';
comment on column raw.market_signals.value is 'The value, in the unit of its kind.';
comment on column raw.market_signals.load_id is 'Delivery that brought the row.';

create table raw.bundle_feedback (
    feedback_id text not null,
    bundle_id text not null,
    customer_id text,
    kind text not null check (kind in ('impression', 'click', 'add', 'purchase', 'return')),
    occurred_at timestamptz not null,
    policy text,
    propensity double precision check (propensity > 0 and propensity <= 1),
    variant text,
    order_id text,
    load_id bigint not null,
    primary key (feedback_id)
);
comment on table raw.bundle_feedback is 'One row a reaction to an offered bundle.';
comment on column raw.bundle_feedback.feedback_id is 'Key of the reaction.';
comment on column raw.bundle_feedback.bundle_id is 'Bundle offered.';
comment on column raw.bundle_feedback.customer_id is 'Who; null: unknown.';
comment on column raw.bundle_feedback.kind is 'What happened.';
comment on column raw.bundle_feedback.occurred_at is 'Instant, UTC.';
comment on column raw.bundle_feedback.policy is 'Policy that chose the bundle.';
comment on column raw.bundle_feedback.propensity is 'Probability with which the policy chose it.';
comment on column raw.bundle_feedback.variant is 'Arm of an experiment.';
comment on column raw.bundle_feedback.order_id is 'Order it led to.';
comment on column raw.bundle_feedback.load_id is 'Delivery that brought the row.';

create table raw.sessions (
    session_id text not null,
    customer_id text,
    started_at timestamptz not null,
    channel text,
    load_id bigint not null,
    primary key (session_id)
);
comment on table raw.sessions is 'Optional. One row a visit.';
comment on column raw.sessions.session_id is 'Key of the visit.';
comment on column raw.sessions.customer_id is 'Who; null: unknown.';
comment on column raw.sessions.started_at is 'Instant, UTC.';
comment on column raw.sessions.channel is 'Web, app, store.';
comment on column raw.sessions.load_id is 'Delivery that brought the row.';

create table raw.given_bundles (
    bundle_id text not null,
    product_id text not null,
    position integer not null default 1,
    load_id bigint not null,
    primary key (bundle_id, product_id)
);
comment on table raw.given_bundles is 'Optional. One row a product of a bundle that the shop already sells.';
comment on column raw.given_bundles.bundle_id is 'Key of the bundle.';
comment on column raw.given_bundles.product_id is 'Product in it.';
comment on column raw.given_bundles.position is 'Order within it.';
comment on column raw.given_bundles.load_id is 'Delivery that brought the row.';

create table raw.lead_times (
    product_id text not null,
    lead_days integer not null check (lead_days > 0),
    supplier text,
    load_id bigint not null,
    primary key (product_id)
);
comment on table raw.lead_times is 'Optional. One row a product: how long a reorder takes.';
comment on column raw.lead_times.product_id is 'Product.';
comment on column raw.lead_times.lead_days is 'Days from order to shelf.';
comment on column raw.lead_times.supplier is 'Supplier.';
comment on column raw.lead_times.load_id is 'Delivery that brought the row.';

create index on raw.orders (ordered_at);
grant select, insert on all tables in schema raw to bundles_loader;
grant update on raw.customers, raw.products to bundles_loader;
grant select on all tables in schema raw to bundles_transformer;

-- migrate:down
drop table raw.lead_times, raw.given_bundles, raw.sessions, raw.bundle_feedback, raw.market_signals, raw.promotions, raw.stock_levels, raw.reviews, raw.events, raw.order_items, raw.orders, raw.products, raw.customers;
