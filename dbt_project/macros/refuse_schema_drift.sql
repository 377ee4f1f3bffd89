{# Before a build: the raw tables that the sources name have the columns and types stated there, no fewer and no others.
   A column that nobody described would be passed over without a word, and one that came back with another type would
   change what is computed from it. What else lies in the schema (a landing table, a copy) is nobody's input. #}
{% macro refuse_schema_drift() -%}
  {%- if execute and flags.WHICH in ('build', 'run') -%}
    {%- set found = run_query(
      "select relname || '.' || attname as column_name, relname::text as table_name,
      format_type(atttypid, atttypmod) as data_type from pg_attribute inner join pg_class on attrelid = pg_class.oid
      where relnamespace = 'raw'::regnamespace and relkind = 'r' and attnum > 0 and not attisdropped"
    ) -%}
    {%- set there, stated, tables = {}, {}, [] -%}
    {%- for source in graph.sources.values() if source.source_name == 'raw' -%}
      {%- do tables.append(source.name) -%}
      {%- for column in source.columns.values() -%}
        {%- do stated.update({source.name ~ '.' ~ column.name: column.data_type}) -%}
      {%- endfor -%}
    {%- endfor -%}
    {%- for row in found.rows if row['table_name'] in tables -%}
      {%- do there.update({row['column_name']: row['data_type']}) -%}
    {%- endfor -%}
    {%- set drift = [] -%}
    {%- for name in there if name not in stated -%}{%- do drift.append('raw.' ~ name ~ ' is new') -%}{%- endfor -%}
    {%- for name, type in stated.items() -%}
      {%- if name not in there -%}
        {%- do drift.append('raw.' ~ name ~ ' is gone') -%}
      {%- elif there[name] != type -%}
        {%- do drift.append('raw.' ~ name ~ ' is ' ~ there[name] ~ ', not ' ~ type) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- if drift -%}
      {{ exceptions.raise_compiler_error('schema_drift: ' ~ drift | sort | join('; ') ~ '; see models/sources/raw.yml') }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}
