-- migrate:up
-- A later delivery may cancel an order that landed as completed: the one change of a fact. The row then names the
-- delivery that cancelled it, so what that took from earlier ones is counted here; who ordered is not said.
grant update (status, load_id) on raw.orders to bundles_loader;
comment on table raw.orders is 'One row an order; a newer delivery may cancel it, and changes nothing else.';
comment on column raw.orders.load_id is 'Delivery that brought the row, or cancelled the order.';

create table ops.cancellations (
    load_id bigint not null references ops.load_manifest (load_id),
    earlier_load_id bigint not null references ops.load_manifest (load_id),
    orders bigint not null check (orders > 0),
    primary key (load_id, earlier_load_id),
    check (earlier_load_id < load_id)
);
create index on ops.cancellations (earlier_load_id);
comment on table ops.cancellations is 'One row a delivery and an earlier one of which it cancelled orders; only added to.';
comment on column ops.cancellations.load_id is 'Delivery that cancelled; the rows name it since.';
comment on column ops.cancellations.earlier_load_id is 'Delivery that had brought the orders.';
comment on column ops.cancellations.orders is 'How many.';
grant select, insert on ops.cancellations to bundles_loader;
grant select on ops.cancellations to bundles_transformer;

-- migrate:down
drop table ops.cancellations;
comment on column raw.orders.load_id is 'Delivery that brought the row.';
comment on table raw.orders is 'One row an order.';
revoke update (status, load_id) on raw.orders from bundles_loader;
