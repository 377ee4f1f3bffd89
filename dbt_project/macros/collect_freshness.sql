{# dbt's own macro with another clock: age is measured back from the end of the as-of day, over the rows dated until
   then, so that a backfill of last year is as fresh as it was last year. #}
{% macro default__collect_freshness(source, loaded_at_field, filter) %}
  {% call statement('collect_freshness', fetch_result=True, auto_begin=False) -%}
    select
      max({{ loaded_at_field }}) as max_loaded_at,
      {{ end_of_day(as_of()) }} as snapshotted_at
    from {{ source }}
    where {{ loaded_at_field }} < {{ end_of_day(as_of()) }}
      {% if filter %}and ({{ filter }}){% endif %}
  {%- endcall %}
  {{ return(load_result('collect_freshness')) }}
{% endmacro %}
