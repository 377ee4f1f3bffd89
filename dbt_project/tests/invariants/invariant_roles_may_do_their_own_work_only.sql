-- I11: who may read and write which schema. A right beyond these is a row.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
{% set reads = {
    'analyst': ['marts', 'serve'],
    'ml': ['features', 'ml', 'ops'],
    'publisher': ['ml', 'ops', 'features', 'marts'],
    'transformer': ['raw', 'staging', 'intermediate', 'features', 'marts', 'ml', 'ops', 'audits'],
    'loader': ['raw', 'ops'],
} %}
{% set writes = {
    'analyst': [],
    'ml': ['ml'],
    'publisher': [],
    'transformer': ['staging', 'intermediate', 'features', 'marts', 'audits'],
    'loader': ['raw', 'ops'],
} %}
with

relations as (

    select
        relations.oid,
        namespaces.nspname as schema_name,
        relations.relname as relation_name
    from pg_class as relations
    inner join pg_namespace as namespaces on relations.relnamespace = namespaces.oid
    where
        relations.relkind in ('r', 'p', 'v', 'm')
        and namespaces.nspname not in ('pg_catalog', 'information_schema', 'public')
        and namespaces.nspname not like 'pg\_%'

),

rights as (

    {% for role in reads %}
        select
            '{{ role }}' as role_name,
            relations.schema_name,
            relations.relation_name,
            has_table_privilege('bundles_{{ role }}', relations.oid, 'select')
            and relations.schema_name not in ({{ "'" ~ reads[role] | join("', '") ~ "'" }}) as reads_beyond,
            has_table_privilege('bundles_{{ role }}', relations.oid, 'insert, update, delete, truncate')
            and relations.schema_name not in ({{ "'" ~ writes[role] | join("', '") ~ "'" }}) as writes_beyond
        from relations
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from rights
where reads_beyond or writes_beyond
