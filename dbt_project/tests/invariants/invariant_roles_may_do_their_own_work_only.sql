-- I11: no right beyond these, which role may do what with the tables and views of a schema (by single columns, too),
-- and which schemas it may look into or make things in. Nobody but the owner reaches into the partition of a run.
-- That is the stored matrix (tests/database/permissions.yaml) with the tables of a schema taken together, so it also
-- holds where tests do not run. Cell by cell (single tables, functions, databases, and rights that lack) it is compared
-- by tests/database/test_permissions.py after the migrations, tests/dbt/test_marts.py after a build and a publish, and
-- tests/test_exposed.py on the running stack.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
{% set every = 'select insert update delete truncate references trigger' %}
{% set rights = {
    'bundles_loader': {'raw': 'select insert update', 'ops': 'select insert'},
    'bundles_transformer': {
        'raw': 'select', 'ml': 'select', 'ops': 'select',
        'staging': every, 'intermediate': every, 'features': every, 'marts': every,
    },
    'bundles_ml': {'features': 'select', 'ml': 'select insert delete', 'ops': 'select'},
    'bundles_publisher': {'features': '', 'ml': 'select', 'ops': 'select'},
    'bundles_analyst': {'marts': 'select', 'serve': ''},
    'public': {},
} %}
with

allowed as (

    {% for role, schemas in rights.items() %}
        {% for schema, names in schemas.items() %}
            select
                '{{ role }}' as role_name,
                '{{ schema }}' as schema_name,
                string_to_array('{{ names }}', ' ') as right_names
            union all
        {% endfor %}
    {% endfor %}
    select
        null as role_name,
        null as schema_name,
        null as right_names

),

roles as (

    select unnest(string_to_array('{{ rights | join(' ') }}', ' ')) as role_name

),

rights as (

    select unnest(string_to_array('{{ every }}', ' ')) as right_name

),

schemas as (

    select
        oid,
        nspname as schema_name
    from pg_namespace
    where nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\_%'

),

relations as (

    select
        relations.oid,
        schemas.schema_name,
        relations.relname as relation_name,
        relations.relispartition as is_partition
    from pg_class as relations
    inner join schemas on relations.relnamespace = schemas.oid
    where relations.relkind in ('r', 'p', 'v', 'm', 'f')

),

had as (

    select
        roles.role_name,
        relations.schema_name,
        relations.relation_name,
        rights.right_name,
        relations.is_partition
    from relations
    cross join roles
    cross join rights
    where
        case
            when rights.right_name in ('select', 'insert', 'update', 'references')
                then has_any_column_privilege(roles.role_name, relations.oid, rights.right_name)
            else has_table_privilege(roles.role_name, relations.oid, rights.right_name)
        end

),

beyond as (

    select
        had.role_name,
        had.schema_name,
        had.relation_name,
        had.right_name
    from had
    left join allowed on had.role_name = allowed.role_name and had.schema_name = allowed.schema_name
    where had.is_partition or (had.right_name <> all(allowed.right_names)) is not false

),

looks as (

    select
        roles.role_name,
        schemas.schema_name,
        null as relation_name,
        case when has_schema_privilege(roles.role_name, schemas.oid, 'create') then 'create' else 'usage' end
            as right_name
    from schemas
    cross join roles
    left join allowed on roles.role_name = allowed.role_name and schemas.schema_name = allowed.schema_name
    where
        (allowed.role_name is null and has_schema_privilege(roles.role_name, schemas.oid, 'usage'))
        or (
            'truncate' <> all(coalesce(allowed.right_names, '{}'))
            and has_schema_privilege(roles.role_name, schemas.oid, 'create')
        )

)

select * from beyond
union all
select * from looks
