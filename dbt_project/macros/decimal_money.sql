{# Cents become currency where people read them: in a mart. #}
{% macro decimal_money(cents) -%}
  round(({{ cents }})::numeric / 100, 2)::numeric(12, 2)
{%- endmacro %}


{# The published run of personal bundles, as a scalar sub-select: Postgres then never opens another run's partition. #}
{% macro published_run() -%}
  (select published.run_id from {{ source('ops', 'published') }} as published where published.scope = 'personal')
{%- endmacro %}
