{# The run that is audited before it may be published; 0 outside an audit, when these tests do not exist. #}
{% macro audited_run() -%}
  {{ env_var('BUNDLES_RUN_ID', '0') | int }}
{%- endmacro %}


{# The as-of day of the audited run. #}
{% macro audited_as_of() -%}
  (select runs.as_of from {{ source('ops', 'runs') }} as runs where runs.run_id = {{ audited_run() }})
{%- endmacro %}
