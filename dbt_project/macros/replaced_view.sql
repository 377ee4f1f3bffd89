{# A view that is replaced in place and never dropped, so that views other people built on it survive, and their
   grants with them. Postgres lets a replacement append columns only. Where the columns changed otherwise, the build
   stops and names them (`on_column_change: fail`), or, for views that only this project reads, drops and recreates.
   A view that says the same already is not touched: a replacement waits for everybody who reads it, and whoever comes
   to read it waits behind the replacement. So it waits a second at most, and the build is tried again. #}
{% materialization replaced_view, adapter='postgres' -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target = this.incorporate(type='view') -%}
  {%- set grants = config.get('grants') -%}
  {%- set is_unchanged = false -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {%- do run_query("set local lock_timeout = '1s'") -%}

  {%- if existing is not none and existing.type != 'view' -%}
    {{ exceptions.raise_compiler_error(this ~ ' is a ' ~ existing.type ~ ', not a view; drop it by hand first') }}
  {%- elif existing is not none -%}
    {%- set had = columns_had(target) -%}
    {%- do run_query('create temporary view view_wanted as (' ~ sql ~ ')') -%}
    {%- set wanted = columns_had('pg_temp.view_wanted') -%}
    {%- set is_unchanged = says_the_same(target, 'pg_temp.view_wanted') -%}
    {%- do run_query('drop view pg_temp.view_wanted') -%}
    {%- if wanted[:had | length] != had -%}
      {%- if config.get('meta', {}).get('on_column_change', 'fail') == 'drop' -%}
        {# Before the drop: a view that breaks its contract leaves the old one. -#}
        {{ get_assert_columns_equivalent(sql) }}
        {# By the adapter, which then knows what went with it and has to be made anew. -#}
        {%- do adapter.drop_relation(existing) -%}
      {%- else -%}
        {{ exceptions.raise_compiler_error(
          this ~ ' cannot be replaced: its columns were (' ~ had | join(', ') ~ ') and would be (' ~ wanted | join(', ')
          ~ '). Append new columns at the end, or drop the view by hand after looking at what depends on it.'
        ) }}
      {%- endif -%}
    {%- endif -%}
  {%- endif -%}

  {{ get_assert_columns_equivalent(sql) }}
  {% call statement('main') -%}
    {%- if is_unchanged -%}
      select 'unchanged'
    {%- else -%}
      create or replace view {{ target }} as ({{ sql }})
    {%- endif -%}
  {%- endcall %}

  {% do apply_grants(target, grants, should_revoke=False) %}
  {% do persist_docs(target, model) %}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do adapter.commit() %}
  {{ run_hooks(post_hooks, inside_transaction=False) }}

  {{ return({'relations': [target]}) }}
{%- endmaterialization %}


{# "name type" of each column of a view that exists, in order. #}
{% macro columns_had(relation) -%}
  {%- set rows = run_query(
    "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute where attrelid = '" ~ relation
    ~ "'::regclass and attnum > 0 and not attisdropped order by attnum"
  ) -%}
  {{ return(rows.columns[0].values() | list) }}
{%- endmacro %}


{# Whether two views are one, in the words Postgres keeps them in. #}
{% macro says_the_same(one, other) -%}
  {%- set rows = run_query("select pg_get_viewdef('" ~ one ~ "'::regclass) = pg_get_viewdef('" ~ other ~ "'::regclass)") -%}
  {{ return(rows.columns[0].values()[0]) }}
{%- endmacro %}
