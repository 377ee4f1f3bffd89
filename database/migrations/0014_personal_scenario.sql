-- migrate:up
-- Personal bundles that hold something new, and what keeps a bundle away for their sake.
alter table ml.bundles add column discovery_products integer check (discovery_products between 0 and bundle_size);
comment on column ml.bundles.discovery_products is
'Products of the bundle that the customer never bought; null in runs from before it was counted.';

alter table ml.bundles
    drop constraint bundles_held_back_by_check,
    drop constraint bundles_lost_to_check,
    add constraint bundles_held_back_by_check check (held_back_by in ('stock', 'change_budget', 'discovery')),
    add constraint bundles_lost_to_check check (lost_to <@ '{stock,change_budget,discovery}');
comment on column ml.bundles.held_back_by is
'Why the bundle is not the customer''s best one alone: stock, change_budget or discovery; null: nothing held it back.';
comment on column ml.bundles.lost_to is
'What took each bundle that the customer would have had besides: stock, change_budget or discovery; on the row of the last bundle that is left, or the abstention.';

alter table ml.why_not
    drop constraint why_not_verdict_check,
    add constraint why_not_verdict_check check (
        verdict in (
            'offered', 'part_of_offered', 'ranked_lower', 'overlaps', 'out_of_stock', 'change_budget', 'discovery',
            'not_worth_showing', 'not_found', 'infeasible', 'not_a_candidate'
        )
    );
comment on column ml.why_not.verdict is
'offered: they are a bundle; part_of_offered: a bundle holds them and more; ranked_lower: others are worth more; overlaps: they share too much with a bundle that is offered; out_of_stock: one of them is not there, or promised to others; change_budget: live bundles stay instead; discovery: the place is kept for a bundle with something new; not_worth_showing: they are worth nothing, or too unlikely; not_found: the search did not come to them; infeasible: they break a constraint; not_a_candidate: one of them was not considered.';

-- migrate:down
alter table ml.why_not
    drop constraint why_not_verdict_check,
    add constraint why_not_verdict_check check (
        verdict in (
            'offered', 'part_of_offered', 'ranked_lower', 'overlaps', 'out_of_stock', 'change_budget', 'not_worth_showing',
            'not_found', 'infeasible', 'not_a_candidate'
        )
    );
alter table ml.bundles
    drop constraint bundles_held_back_by_check,
    drop constraint bundles_lost_to_check,
    add constraint bundles_held_back_by_check check (held_back_by in ('stock', 'change_budget')),
    add constraint bundles_lost_to_check check (lost_to <@ '{stock,change_budget}'),
    drop column discovery_products;
