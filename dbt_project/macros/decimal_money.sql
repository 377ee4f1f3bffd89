{# Cents become currency where people read them: in a mart. #}
{% macro decimal_money(cents) -%}
  round(({{ cents }})::numeric / 100, 2)::numeric(12, 2)
{%- endmacro %}


{# The published run of a scope, as a scalar sub-select: Postgres then never opens another run's partition. #}
{% macro published_run(scope='personal') -%}
  (select published.run_id from {{ source('ops', 'published') }} as published where published.scope = '{{ scope }}')
{%- endmacro %}


{# What a scenario's published run could not make of a result, for want of data: the body of a CTE. #}
{% macro unavailable(scope, result) -%}
  select reason as unavailable_reason
  from {{ source('ml', 'unavailable') }}
  where run_id = {{ published_run(scope) }} and result = '{{ result }}'
{%- endmacro %}


{# Data cut-off of the published run of a scope. #}
{% macro published_day(scope='personal') -%}
  (select published.as_of from {{ source('ops', 'published') }} as published where published.scope = '{{ scope }}')
{%- endmacro %}
