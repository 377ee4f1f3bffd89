{# Before an insert, in its transaction: wait for a twin of the same day, then remove what is there of that day.
   Without the lock two twins would both delete first and both insert after. #}
{% macro replace_as_of() -%}
  set local work_mem = '128MB';
  {%- if is_incremental() -%}
    {# A twin is waited for however long it takes. -#}
    set local lock_timeout = 0;
    do $$ begin perform pg_advisory_xact_lock(hashtext('{{ this.schema }}.{{ this.identifier }}'), {{ as_of() }} - date '2000-01-01'); end $$;
    set local lock_timeout to default;
    delete from {{ this }} where as_of = {{ as_of() }}
  {%- else -%}
    select 1
  {%- endif -%}
{%- endmacro %}


{# While a day is being rebuilt it is not complete: nobody may prune it or take it for finished. #}
{% macro reopen_build() -%}
  {%- set builds = adapter.get_relation(this.database, 'features', 'ftr_builds') -%}
  {%- if execute and builds -%}
    delete from {{ builds }} where as_of = {{ as_of() }}
  {%- else -%}
    select 1
  {%- endif -%}
{%- endmacro %}


{# Remove the days nobody will read again: completely built, published since or built two weeks ago (their run failed,
   and nobody cleared it), not among the newest built days and not among the last published ones (a rollback may return
   to those). A day without a build stays: whether it is in the making or its build broke cannot be seen here. #}
{% macro prune_published_days() -%}
  {%- if execute -%}
    {%- set keep = var('kept_feature_days') -%}
    create temporary table days_to_prune on commit drop as
    select builds.as_of
    from {{ this }} as builds
    where
      (
        builds.built_at < now() - interval '14 days'
        or exists (
          select from {{ source('ops', 'publish_log') }} as log
          where log.scope = 'personal' and log.as_of = builds.as_of and log.published_at > builds.built_at
        )
      )
      and builds.as_of not in (select as_of from {{ this }} order by as_of desc limit {{ keep }})
      and builds.as_of not in (
        select log.as_of from {{ source('ops', 'publish_log') }} as log
        where log.scope = 'personal' and log.as_of is not null
        order by log.publish_id desc limit {{ keep }}
      );
    {%- for node in graph.nodes.values() if node.config.materialized == 'incremental' %}
    delete from {{ adapter.quote(node.schema) }}.{{ adapter.quote(node.alias) }} where as_of in (select as_of from days_to_prune);
    {%- endfor %}
  {%- endif -%}
{%- endmacro %}
