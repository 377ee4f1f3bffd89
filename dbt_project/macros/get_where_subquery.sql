{# dbt's own macro, with __as_of__ in a test's `where` standing for the day of the build: tests look at its rows only. #}
{% macro default__get_where_subquery(relation) -%}
  {%- set where = config.get('where', '') -%}
  {%- if not where -%}
    {{ return(relation) }}
  {%- endif -%}
  {%- set filtered -%}
    (select * from {{ relation }} where {{ where | replace('__as_of__', as_of()) }}) as dbt_subquery
  {%- endset -%}
  {{ return(filtered) }}
{%- endmacro %}
