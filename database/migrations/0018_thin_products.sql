-- migrate:up
-- Products that sold too seldom for a forecast get a line that says so.

alter table ml.replenishment drop constraint replenishment_action_check;
alter table ml.replenishment add constraint replenishment_action_check
check (action in ('reorder', 'enough', 'bundle_instead', 'no_lead_time', 'too_few_sales'));
comment on table ml.replenishment is
'One row a product: reorder it, sell it off in bundles, leave it, or say that it sold too seldom to tell.';
comment on column ml.replenishment.action is 'reorder, enough, bundle_instead, no_lead_time or too_few_sales.';
comment on column ml.replenishment.daily_units is
'Expected units a day, bundles included, until the next order arrives; of too_few_sales the mean of the last 84 days.';
comment on column ml.replenishment.model is 'Model of the forecast; none for too_few_sales.';
comment on column ml.replenishment.demand_class is
'Kind of demand: smooth, erratic, intermittent, lumpy or new; thin for too_few_sales.';

-- migrate:down
delete from ml.replenishment
where action = 'too_few_sales';
alter table ml.replenishment drop constraint replenishment_action_check;
alter table ml.replenishment add constraint replenishment_action_check
check (action in ('reorder', 'enough', 'bundle_instead', 'no_lead_time'));
