{# The run that is audited before it may be published; 0 outside an audit, when these tests do not exist. #}
{% macro audited_run() -%}
  {{ env_var('BUNDLES_RUN_ID', '0') | int }}
{%- endmacro %}


{# The as-of day of the audited run. #}
{% macro audited_as_of() -%}
  (select runs.as_of from {{ source('ops', 'runs') }} as runs where runs.run_id = {{ audited_run() }})
{%- endmacro %}


{# A value of the form that the audited run was started with, as text; null where the form left it empty. #}
{% macro audited_param(name) -%}
  (select runs.params ->> '{{ name }}' from {{ source('ops', 'runs') }} as runs where runs.run_id = {{ audited_run() }})
{%- endmacro %}


{# Promises of each product, counted from the bundles themselves: the body of a CTE. #}
{% macro counted_promises() -%}
  select
      items.product_id,
      count(*) as units
  from {{ source('ml', 'bundle_items') }} as items
  inner join {{ source('ml', 'bundles') }} as bundles
      on items.run_id = bundles.run_id and items.bundle_id = bundles.bundle_id
  where items.run_id = {{ audited_run() }} and bundles.status <> 'abstained'
  group by items.product_id
{%- endmacro %}
