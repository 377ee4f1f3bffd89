{# The schemas are named exactly as the layers: staging, intermediate, features, marts. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
