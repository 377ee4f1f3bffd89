-- Roles and databases, made once by the superuser with psql; running it again changes nothing but passwords.
-- Passwords come from the environment, so that none stands in a file or on a command line.
\set ON_ERROR_STOP on
\set QUIET on
\getenv owner_password BUNDLES_WAREHOUSE__OWNER_PASSWORD
\getenv loader_password BUNDLES_WAREHOUSE__LOADER_PASSWORD
\getenv transformer_password BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD
\getenv ml_password BUNDLES_WAREHOUSE__ML_PASSWORD
\getenv publisher_password BUNDLES_WAREHOUSE__PUBLISHER_PASSWORD
\getenv analyst_password BUNDLES_WAREHOUSE__ANALYST_PASSWORD
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv mlflow_password MLFLOW_DB_PASSWORD
set log_statement = 'none';

select format('create role %I login', name)
from unnest(array[
    'bundles_owner', 'bundles_loader', 'bundles_transformer', 'bundles_ml', 'bundles_publisher', 'bundles_analyst',
    'airflow', 'mlflow'
]) as name
where not exists (select from pg_roles where rolname = name) \gexec

alter role bundles_owner password :'owner_password';
alter role bundles_loader password :'loader_password';
alter role bundles_transformer password :'transformer_password';
alter role bundles_ml password :'ml_password';
alter role bundles_publisher password :'publisher_password';
alter role bundles_analyst password :'analyst_password';
alter role airflow password :'airflow_password';
alter role mlflow password :'mlflow_password';
-- What follows holds no secret, and who changed rights shall be known.
reset log_statement;

-- What is stopped or cut off amid a transaction holds the lease, or a lock that others wait for.
alter role bundles_loader set idle_in_transaction_session_timeout = '5min';
alter role bundles_transformer set idle_in_transaction_session_timeout = '5min';
alter role bundles_ml set idle_in_transaction_session_timeout = '5min';
alter role bundles_publisher set idle_in_transaction_session_timeout = '5min';
-- A client that was killed must not have its statement commit seconds later.
alter role bundles_loader set client_connection_check_interval = '500ms';
alter role bundles_transformer set client_connection_check_interval = '500ms';
alter role bundles_ml set client_connection_check_interval = '500ms';
alter role bundles_publisher set client_connection_check_interval = '500ms';
alter role bundles_loader set lock_timeout = '5s';
alter role bundles_transformer set lock_timeout = '5s';
alter role bundles_ml set lock_timeout = '5s';
alter role bundles_publisher set lock_timeout = '5s';
-- Rights are the wall. The first two an analyst cannot lift; the others keep an honest one from hurting the shop by accident.
alter role bundles_analyst connection limit 40;
alter role bundles_analyst set temp_file_limit = '2GB';
alter role bundles_analyst set default_transaction_read_only = on;
alter role bundles_analyst set statement_timeout = '30s';
alter role bundles_analyst set idle_in_transaction_session_timeout = '60s';
alter role bundles_analyst set search_path = marts;

select format('create database %I owner %I', name, owner)
from (values ('shop', 'bundles_owner'), ('airflow', 'airflow'), ('mlflow', 'mlflow')) as wanted (name, owner)
where not exists (select from pg_database where datname = name) \gexec

revoke all on database shop, airflow, mlflow, postgres, template1 from public;
grant connect on database shop to bundles_loader, bundles_transformer, bundles_ml, bundles_publisher, bundles_analyst;
-- dbt builds through temporary tables, the loader stages deliveries in them.
grant temporary on database shop to bundles_loader, bundles_transformer, bundles_ml;
-- Migrations create schemas that belong to the transformer.
grant bundles_transformer to bundles_owner;
-- To find transactions and locks that nobody works under (dbt_project/tests/invariants).
grant pg_read_all_stats to bundles_transformer;

\connect shop
-- Large objects are files in the database that everybody may fill; nothing here keeps any.
revoke execute on function
    lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_open(oid, integer), lo_put(oid, bigint, bytea),
    lowrite(integer, bytea), lo_truncate(integer, integer), lo_truncate64(integer, bigint), lo_unlink(oid)
from public;
-- Advisory locks are anybody's: an analyst could hold the one that a load waits for, or fill the table of all locks.
select format('revoke execute on function %s from public', oid::regprocedure)
from pg_proc
where pronamespace = 'pg_catalog'::regnamespace and proname ~ '^pg_(try_)?advisory_(xact_)?lock' \gexec
grant execute on function pg_advisory_xact_lock(bigint) to bundles_loader;
grant execute on function pg_advisory_xact_lock(integer, integer) to bundles_transformer;
