-- migrate:up
-- Rights that nobody's work needs. tests/database/permissions.yaml states all that are left.

-- Postgres lets everybody look into the schema public; here it holds the list of applied migrations only.
revoke all on schema public from public;
-- Default privileges hold for objects of the role that they are set for; 0001 did this for the owner's.
alter default privileges for role bundles_transformer revoke execute on functions from public;
-- Refused records are kept as they came, whatever they hold: for the loader, and for dbt, whose mart shows them.
revoke select on ops.quarantine from bundles_ml, bundles_publisher;

-- migrate:down
grant select on ops.quarantine to bundles_ml, bundles_publisher;
alter default privileges for role bundles_transformer grant execute on functions to public;
grant usage on schema public to public;
