-- migrate:up
-- Promotions across categories: what is promoted at which price, and who is invited.

create table ml.promotion_products (
    run_id bigint not null,
    product_id text not null,
    category text,
    starts_on date not null,
    ends_on date not null,
    discount_share double precision not null check (discount_share > 0 and discount_share < 1),
    list_price_cents integer not null,
    promoted_price_cents integer not null check (promoted_price_cents > 0 and promoted_price_cents < list_price_cents),
    base_units double precision not null,
    expected_units double precision not null,
    discount_cost_cents double precision not null check (discount_cost_cents >= 0),
    expected_incremental_margin_cents double precision not null,
    incremental_margin_low_cents double precision not null,
    incremental_margin_high_cents double precision not null,
    halo_margin_cents double precision not null,
    substituted_margin_cents double precision not null,
    pulled_margin_cents double precision not null,
    elasticity double precision not null check (elasticity <= 0),
    elasticity_level text not null,
    margin_note text,
    reason text not null,
    objective double precision not null,
    upper_bound double precision not null,
    gap_pct double precision not null,
    plan_margin_low_cents double precision not null,
    plan_margin_high_cents double precision not null,
    primary key (run_id, product_id)
) partition by list (run_id);
comment on table ml.promotion_products is 'One row a product that the run promotes.';
comment on column ml.promotion_products.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.promotion_products.product_id is 'Product that is promoted.';
comment on column ml.promotion_products.category is 'Its category; null where it has none.';
comment on column ml.promotion_products.starts_on is 'First day of the promotion.';
comment on column ml.promotion_products.ends_on is 'Last day, inclusive.';
comment on column ml.promotion_products.discount_share is 'What the promoted price takes off the list price.';
comment on column ml.promotion_products.list_price_cents is 'List price of one unit in cents.';
comment on column ml.promotion_products.promoted_price_cents is
'Price of one unit during the promotion in cents, for everybody.';
comment on column ml.promotion_products.base_units is 'Units expected in these days at the list price.';
comment on column ml.promotion_products.expected_units is 'Units expected in these days at the promoted price.';
comment on column ml.promotion_products.discount_cost_cents is
'Discount on all expected units in cents, those that would have been sold anyway among them.';
comment on column ml.promotion_products.expected_incremental_margin_cents is
'Margin that the promotion of the product is expected to add, in cents: of extra units at the promoted price, less the discount on base units, plus halo, less what is substituted and pulled forward.';
comment on column ml.promotion_products.incremental_margin_low_cents is
'Lower end of its 95 % interval, from the uncertainty of elasticities and side effects.';
comment on column ml.promotion_products.incremental_margin_high_cents is 'Upper end.';
comment on column ml.promotion_products.halo_margin_cents is
'Margin of complements in other categories that are bought along, in cents.';
comment on column ml.promotion_products.substituted_margin_cents is
'Margin of products of the same category that are bought less, in cents.';
comment on column ml.promotion_products.pulled_margin_cents is
'Margin of later sales of the category that are lost, in cents.';
comment on column ml.promotion_products.elasticity is 'Change of log units for a change of log price.';
comment on column ml.promotion_products.elasticity_level is
'Whose prices tell it for the most part: product, category or shop.';
comment on column ml.promotion_products.margin_note is 'Says so where the cost is assumed and not the shop''s.';
comment on column ml.promotion_products.reason is 'Why the product is promoted, in words.';
comment on column ml.promotion_products.objective is 'Expected incremental margin of the whole promotion in cents.';
comment on column ml.promotion_products.upper_bound is
'No promotion within the limits is expected to add more, in cents.';
comment on column ml.promotion_products.gap_pct is
'How far the objective may be below the best, in percent of the bound.';
comment on column ml.promotion_products.plan_margin_low_cents is
'Lower end of the 95 % interval of what the whole promotion adds, in cents.';
comment on column ml.promotion_products.plan_margin_high_cents is 'Upper end.';

create table ml.promotion_invitations (
    run_id bigint not null,
    customer_id text not null,
    invitation_rank integer not null check (invitation_rank >= 1),
    product_ids text[] not null,
    probability double precision not null check (probability between 0 and 1),
    expected_margin_cents double precision not null,
    primary key (run_id, customer_id)
) partition by list (run_id);
comment on table ml.promotion_invitations is 'One row a customer whom the run invites to its promotion.';
comment on column ml.promotion_invitations.run_id is 'Run that wrote the row; the partition key.';
comment on column ml.promotion_invitations.customer_id is 'Customer who is invited.';
comment on column ml.promotion_invitations.invitation_rank is
'Place among the invited, the one expected to add most first.';
comment on column ml.promotion_invitations.product_ids is
'Promoted products the invitation mentions, the one expected to add most first.';
comment on column ml.promotion_invitations.probability is
'Probability that the customer buys at least one of them during the promotion.';
comment on column ml.promotion_invitations.expected_margin_cents is
'Margin the promotion is expected to add by this customer''s purchases of them, in cents; not an effect of the invitation, which nobody knows without an experiment.';

grant select, insert, delete on ml.promotion_products, ml.promotion_invitations to bundles_ml;
grant select on ml.promotion_products, ml.promotion_invitations to bundles_transformer, bundles_publisher;

-- migrate:down
drop table ml.promotion_invitations, ml.promotion_products;
