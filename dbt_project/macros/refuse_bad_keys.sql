{# After an insert, in its transaction: the rows of the day have the key that the model's own test states, once each and
   without a null. A test alone would come after the rows stand; this takes the insert back, and the rows that it
   replaced are there again. #}
{% macro refuse_bad_keys() -%}
  {%- if execute -%}
    {%- for test in graph.nodes.values() if test.attached_node == model.unique_id
      and (test.test_metadata or {}).name == 'unique_together' %}
    {%- set columns = test.test_metadata.kwargs.columns %}
    do $$ begin
      if exists (
        select from {{ this }} where as_of = {{ as_of() }}
        group by {{ columns | join(', ') }}
        having count(*) > 1{% for column in columns %} or {{ column }} is null{% endfor %}
      ) then
        raise exception 'key ({{ columns | join(', ') }}) of {{ this.identifier }} twice or null; nothing was replaced';
      end if;
    end $$;
    {%- endfor %}
  {%- endif -%}
{%- endmacro %}
