-- I2: what a scope publishes has rows of the published run, or a row that says what the shop does not deliver.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
{% set main = {
    'personal': 'bundles',
    'cross_category': 'promotion_products',
    'bundle_sale': 'bundle_prices',
    'replenishment': 'replenishment',
    'launch': 'launches',
    'customer_care': 'customer_cards',
    'measurements': 'drift_checks',
} %}
with

shown as (

    {% for scope, result in main.items() %}
        select
            '{{ scope }}' as scope,
            '{{ result }}' as result,
            (
                select count(*) from {{ source('ml', result) }} as results
                where results.run_id = {{ published_run(scope) }}
            ) as result_rows
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

published as (

    select * from {{ source('ops', 'published') }}

),

reasons as (

    select * from {{ source('ml', 'unavailable') }}

)

select
    published.scope,
    published.run_id
from published
inner join shown on published.scope = shown.scope
left join reasons on published.run_id = reasons.run_id and shown.result = reasons.result
where shown.result_rows = 0 and reasons.reason is null
