{# The day a build stands on: rows dated on or before it may be used. #}
{% macro as_of() -%}
  {%- set day = env_var('BUNDLES_AS_OF', '') -%}
  {%- if execute and not modules.re.match('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', day) -%}
    {{ exceptions.raise_compiler_error("BUNDLES_AS_OF is '" ~ day ~ "', wanted is a day such as 2017-12-03") }}
  {%- endif -%}
  date '{{ day or '1970-01-01' }}'
{%- endmacro %}


{# The shop's business day of an instant; the one place that knows the zone. #}
{% macro business_day(instant) -%}
  ({{ instant }} at time zone '{{ var("shop_time_zone") }}')::date
{%- endmacro %}


{# The shop's business day by the clock: for views, which hold for any as-of day. #}
{% macro today() -%}
  {{ business_day('now()') }}
{%- endmacro %}


{# The instant at which the business day ends. #}
{% macro end_of_day(day) -%}
  (({{ day }} + 1)::timestamp at time zone '{{ var("shop_time_zone") }}')
{%- endmacro %}


{# A whole number from dbt_project.yml that the environment may override: BUNDLES_<NAME>. #}
{% macro threshold(name) -%}
  {{ env_var('BUNDLES_' ~ (name | upper), var(name) | string) | int }}
{%- endmacro %}
