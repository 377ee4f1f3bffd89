-- migrate:up
-- What an association rests on: pairs of new products cannot have been counted.
alter table ml.associations
    add column evidence text not null default 'counted'
    check (evidence in ('counted', 'category', 'graph', 'blend'));
comment on column ml.associations.evidence is 'What the association rests on: baskets with both (counted), the lift of their categories, of the embeddings of their attributes (graph), or both (blend).';
comment on column ml.associations.association is 'Shrunk size-adjusted lift used by the optimizer; 0 for substitutes without evidence of meeting; estimated where evidence is not counted.';
comment on table ml.associations is 'One row a pair with evidence, of substitutes, or of a new product, among the candidates and the products of the shop''s own bundles.';

-- migrate:down
alter table ml.associations drop column evidence;
