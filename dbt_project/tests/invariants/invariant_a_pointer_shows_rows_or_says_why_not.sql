-- I2: every result that a published run owes its readers has rows of that run, or a row in ml.unavailable that says
-- what the shop does not deliver; and what is said to consist of parts has them.
-- May be empty by right: associations (no pair was bought together), catalogue_gaps (no sample asked for),
-- catalogue_bundles, shadow_prices, given_bundle_ranks, due_repurchases, care_alerts (nothing to list),
-- scenario_metrics (too few days to judge), applied_rules and rule_costs (no rule), why_not (no question).
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
{% set owed = {
    'personal': ['candidates', 'bundles'],
    'cross_category': ['promotion_products', 'promotion_invitations'],
    'bundle_sale': ['elasticities', 'bundle_prices'],
    'replenishment': ['demand_forecasts', 'replenishment'],
    'launch': ['launches'],
    'customer_care': ['customer_cards'],
    'measurements': ['experiment_readouts', 'off_policy_values', 'drift_checks'],
} %}
{% set parts = [
    ('personal', 'bundles', "status <> 'abstained'", 'bundle_items'),
    ('bundle_sale', 'bundle_prices', 'true', 'bundle_price_items'),
    ('launch', 'launches', 'partners > 0', 'launch_partners'),
    ('launch', 'launches', 'impressions > 0', 'launch_audience'),
] %}
with

published as (

    select * from {{ source('ops', 'published') }}

),

owed as (

    {% for scope, results in owed.items() %}
        {% set outer_last = loop.last %}
        {% for result in results %}
            select
                '{{ scope }}' as scope,
                '{{ result }}' as result,
                exists(
                    select from {{ source('ml', result) }} as results
                    where results.run_id = {{ published_run(scope) }}
                ) as is_there
            {{ 'union all' if not (loop.last and outer_last) }}
        {% endfor %}
    {% endfor %}

),

parts as (

    {% for scope, whole, condition, part in parts %}
        select
            '{{ scope }}' as scope,
            '{{ part }}' as result,
            exists(
                select from {{ source('ml', whole) }} as results
                where results.run_id = {{ published_run(scope) }} and {{ condition }}
            ) as is_due,
            exists(
                select from {{ source('ml', part) }} as results
                where results.run_id = {{ published_run(scope) }}
            ) as is_there
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

missing as (

    select
        published.scope,
        published.run_id,
        owed.result
    from published
    inner join owed on published.scope = owed.scope
    left join {{ source('ml', 'unavailable') }} as reasons
        on published.run_id = reasons.run_id and owed.result = reasons.result
    where not owed.is_there and reasons.reason is null

    union all

    select
        published.scope,
        published.run_id,
        parts.result
    from published
    inner join parts on published.scope = parts.scope
    where parts.is_due and not parts.is_there

    union all

    -- A scope of which nothing above speaks.
    select
        published.scope,
        published.run_id,
        null as result
    from published
    where published.scope not in ('{{ owed | join("', '") }}')

)

select * from missing
