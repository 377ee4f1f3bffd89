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


{# Products that an obeyed rule of the audited run keeps out: a veto, an excluded category, or a floor that the list
   price does not reach; the body of a CTE. #}
{% macro kept_out_by_rules() -%}
  select
      products.product_id,
      rules.rule_id,
      rules.kind
  from {{ ref('ftr_products') }} as products
  inner join {{ source('ml', 'applied_rules') }} as rules
      on
          (rules.kind = 'veto' and products.product_id = rules.product_id)
          or (
              rules.kind = 'exclude_category'
              and rules.category in (products.category, products.department, products.category_path)
          )
          or (
              rules.kind = 'price_floor'
              and products.product_id = rules.product_id
              and products.price_cents < rules.floor_cents
          )
  where products.as_of = {{ audited_as_of() }} and rules.run_id = {{ audited_run() }} and rules.is_applied
{%- endmacro %}
