{# Values outside [low, high]; NaN is above every number in Postgres, so it is refused as well. #}
{% test within(model, column_name, low, high) %}
select {{ column_name }}
from {{ model }}
where not ({{ column_name }} >= {{ low }} and {{ column_name }} <= {{ high }})
{% endtest %}
