{# Baskets whose arrays do not have one entry for each product, or hold a product twice. #}
{% test basket_arrays_aligned(model) %}
select basket_id
from {{ model }}
where
  cardinality(product_ids) <> basket_products
  or cardinality(quantities) <> basket_products
  or cardinality(paid_cents) <> basket_products
  or (select count(distinct entry) from unnest(product_ids) as entry) <> basket_products
{% endtest %}
