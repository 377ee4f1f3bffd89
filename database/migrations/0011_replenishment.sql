-- migrate:up
-- What is wanted in the next weeks, and what to reorder.

create table ml.demand_forecasts (
    run_id bigint not null,
    product_id text not null,
    forecast_on date not null,
    base_units double precision not null check (base_units >= 0),
    bundle_units double precision not null check (bundle_units >= 0),
    q10_units double precision not null,
    q50_units double precision not null,
    q90_units double precision not null,
    model text not null,
    primary key (run_id, product_id, forecast_on)
) partition by list (run_id);
comment on table ml.demand_forecasts is
'One row a product and day of its lead time and the days until the next order: units that will be wanted.';
comment on column ml.demand_forecasts.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.demand_forecasts.product_id is 'Product.';
comment on column ml.demand_forecasts.forecast_on is 'Day that is forecast.';
comment on column ml.demand_forecasts.base_units is 'Expected units without bundles.';
comment on column ml.demand_forecasts.bundle_units is
'Expected units on top from the bundles on offer: joint probability of a bundle times the chance that its customer would not have bought the product anyway, per day between the customer''s baskets.';
comment on column ml.demand_forecasts.q10_units is 'Units that demand, bundles included, stays at or below with probability .1.';
comment on column ml.demand_forecasts.q50_units is 'The same with probability .5.';
comment on column ml.demand_forecasts.q90_units is 'The same with probability .9.';
comment on column ml.demand_forecasts.model is 'Model of the base units, the best on the past of its kind of demand.';

create table ml.replenishment (
    run_id bigint not null,
    product_id text not null,
    available_units integer not null check (available_units >= 0),
    lead_days integer check (lead_days >= 1),
    lead_note text not null,
    daily_units double precision not null check (daily_units >= 0),
    bundle_units_per_day double precision not null check (bundle_units_per_day >= 0),
    lead_demand_units double precision check (lead_demand_units >= 0),
    reorder_point_units integer check (reorder_point_units >= 0),
    order_up_to_units integer check (order_up_to_units >= 0),
    order_units integer not null check (order_units >= 0),
    cover_days double precision check (cover_days >= 0),
    action text not null check (action in ('reorder', 'enough', 'bundle_instead', 'no_lead_time')),
    partner_ids text [] not null,
    reason text not null,
    model text not null,
    demand_class text not null,
    primary key (run_id, product_id)
) partition by list (run_id);
comment on table ml.replenishment is 'One row a product with demand: reorder it, sell it off in bundles, or leave it.';
comment on column ml.replenishment.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.replenishment.product_id is 'Product.';
comment on column ml.replenishment.available_units is
'Units that can be sold, as counted last. Orders that are on their way are in no table of the raw contract, so they do not count.';
comment on column ml.replenishment.lead_days is 'Days from order to delivery; null where none is known or assumed.';
comment on column ml.replenishment.lead_note is 'Where the lead time comes from: the supplier, the form, or nowhere.';
comment on column ml.replenishment.daily_units is 'Expected units a day, bundles included, over the lead time and the days until the next order.';
comment on column ml.replenishment.bundle_units_per_day is 'Part of daily_units that comes from the bundles on offer.';
comment on column ml.replenishment.lead_demand_units is 'Expected units over the lead time and the day until the next run.';
comment on column ml.replenishment.reorder_point_units is
'Units that demand over the lead time and the day until the next run stays at or below with the service level.';
comment on column ml.replenishment.order_up_to_units is 'The same over the lead time and the days until the next order.';
comment on column ml.replenishment.order_units is 'Units to order now: order_up_to_units less what is available; 0 unless the action is reorder.';
comment on column ml.replenishment.cover_days is 'Days of expected demand that the stock covers; null without demand.';
comment on column ml.replenishment.action is 'reorder, enough, bundle_instead or no_lead_time.';
comment on column ml.replenishment.partner_ids is 'Products bought together with a slow mover, best first; empty for every other action.';
comment on column ml.replenishment.reason is 'Why this action, in words.';
comment on column ml.replenishment.model is 'Model of the forecast.';
comment on column ml.replenishment.demand_class is 'Kind of demand: smooth, erratic, intermittent, lumpy or new.';

grant select, insert, delete on ml.demand_forecasts, ml.replenishment to bundles_ml;
grant select on ml.demand_forecasts, ml.replenishment to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.replenishment, ml.demand_forecasts;
