-- migrate:up
-- One writer a schema: raw by the loader, staging to features and marts by dbt, ml by the stages, ops by its functions.
create schema raw;
create schema ml;
create schema ops;
create schema staging authorization bundles_transformer;
create schema intermediate authorization bundles_transformer;
create schema features authorization bundles_transformer;
create schema marts authorization bundles_transformer;

comment on schema raw is 'The shop''s tables as landed, in the raw contract.';
comment on schema ml is 'Results of runs, by run_id; read through the views in marts.';
comment on schema ops is 'Manifests, quarantine, runs, leases, audits and the published pointer.';

-- New functions are executable by everybody unless this says otherwise.
alter default privileges revoke execute on functions from public;

grant usage on schema raw to bundles_loader, bundles_transformer;
grant usage on schema ml to bundles_ml, bundles_publisher, bundles_transformer;
grant usage on schema ops to bundles_loader, bundles_transformer, bundles_ml, bundles_publisher;
grant usage on schema features to bundles_ml, bundles_publisher;
grant usage on schema marts to bundles_analyst;

-- migrate:down
drop schema marts, features, intermediate, staging, ops, ml, raw cascade;
