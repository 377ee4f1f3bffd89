{# 95 % interval of a rate: Wilson (1927), Probable inference, J. Am. Stat. Assoc. 22; null without a trial. It stays
   within 0 and 1 and says something of 0 successes, which the normal interval does not. #}
{% macro wilson_low(successes, trials) -%}
  {{ _wilson(successes, trials, '-') }}
{%- endmacro %}


{% macro wilson_high(successes, trials) -%}
  {{ _wilson(successes, trials, '+') }}
{%- endmacro %}


{% macro _wilson(successes, trials, sign) -%}
  {%- set z = 1.959963984540054 -%}
  {%- set n = 'nullif(' ~ trials ~ ', 0)::float8' -%}
  case when {{ trials }} > 0 then greatest(0, least(1, (
      {{ successes }} / {{ n }} + {{ z * z / 2 }} / {{ n }}
      {{ sign }} {{ z }} * sqrt(greatest(0,
          {{ successes }} / {{ n }} * (1 - {{ successes }} / {{ n }}) / {{ n }} + {{ z * z / 4 }} / ({{ n }} * {{ n }})
      ))
  ) / (1 + {{ z * z }} / {{ n }}))) end
{%- endmacro %}


{# 95 % interval of a mean by the normal law; null below 10 values, which are too few for it. #}
{% macro mean_low(total, squares, values) -%}
  {{ _mean_bound(total, squares, values, '-') }}
{%- endmacro %}


{% macro mean_high(total, squares, values) -%}
  {{ _mean_bound(total, squares, values, '+') }}
{%- endmacro %}


{% macro _mean_bound(total, squares, values, sign) -%}
  {%- set n = values ~ '::float8' -%}
  case when {{ values }} >= 10 then
      {{ total }} / {{ n }} {{ sign }} 1.959963984540054 * sqrt(
          greatest(0, {{ squares }} - {{ total }} * {{ total }} / {{ n }}) / ({{ n }} - 1) / {{ n }}
      )
  end
{%- endmacro %}


{# The day whose reactions to bundles are shown: that of the published measurements, so that all of them change at once;
   where nothing was published yet, or its day is cleared away, the newest. #}
{% macro measured_day() -%}
  coalesce(
    (
      select published.as_of from {{ source('ops', 'published') }} as published
      where
        published.scope = 'measurements'
        and exists (select from {{ ref('int_bundle_weeks_counted') }} as kept where kept.as_of = published.as_of)
    ),
    (select max(measured.as_of) from {{ ref('int_bundle_weeks_counted') }} as measured)
  )
{%- endmacro %}
