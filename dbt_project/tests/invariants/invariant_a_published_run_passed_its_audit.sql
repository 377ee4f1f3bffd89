-- I10: the last audit of each published run has a check for every rule of business, and every check it has passed. The
-- rules, and the checks that hold them (in dbt_project/tests/audit, those without "audit_" in ml/publishing/audit.py):
-- no inactive, banned or repeated product, no product out of stock, size within limits, price at least 0 and at most
-- the sum of the parts, discount within the margin floor, a promotion only while no other holds its product, each
-- customer answered: at most as many bundles as the form asks for (as many as are worth showing), or one row with a
-- reason. In the scenarios the products are what the scenario is about; a customer owed an answer is in customer_care.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
{% set owed = {
    'personal': [
        'audit_item_is_bundleable',
        'audit_item_is_in_stock',
        'audit_stock_is_enough_for_what_is_promised',
        'audit_item_is_not_on_the_list_of_exclusions',
        'audit_no_bundle_holds_what_a_rule_forbids',
        'excluded_is_not_there',
        'audit_product_stands_once_in_a_bundle',
        'audit_bundle_size_is_counted_and_allowed',
        'bundle_size_is_kept',
        'audit_item_price_is_positive_and_not_above_list',
        'audit_prices_are_the_sum_of_the_items',
        'audit_numbers_are_finite',
        'margin_floor_is_kept',
        'audit_every_customer_is_answered',
        'audit_abstention_stands_alone_and_says_why',
        'bundles_per_customer_are_ranked_within_the_limit',
    ],
    'cross_category': [
        'audit_promoted_product_is_not_forbidden',
        'audit_promotion_sells_no_more_than_stock',
        'audit_promoted_price_leaves_its_margin',
        'audit_promoted_product_is_in_no_other_promotion',
        'audit_promotion_is_worth_its_numbers',
        'audit_promotion_is_there_or_says_why',
    ],
    'bundle_sale': [
        'audit_sale_obeys_the_rules',
        'audit_sale_stock_is_not_over_promised',
        'audit_sale_bundles_are_disjoint_and_of_one_price',
        'audit_sale_item_is_paid_with_a_cent_to_its_list_price',
        'audit_sale_prices_are_exact_to_the_cent',
        'audit_sale_margin_floor_is_kept',
        'audit_sale_numbers_fit_together',
    ],
    'replenishment': [
        'audit_no_forbidden_product_is_sold_off',
        'audit_sell_off_partners_are_complements_in_stock',
        'audit_forecasts_are_finite_and_ordered',
        'audit_every_product_with_demand_is_answered',
    ],
    'launch': [
        'audit_launch_obeys_the_rules',
        'audit_launch_promises_no_more_than_there_is',
        'audit_launch_says_why_and_how_likely',
    ],
    'customer_care': [
        'audit_care_obeys_the_rules',
        'audit_care_names_nothing_sensitive',
        'audit_care_risk_is_a_probability_in_its_interval',
        'audit_care_every_customer_has_a_card',
    ],
    'measurements': [
        'audit_measured_value_lies_in_its_interval',
        'audit_measurement_is_there_or_says_why',
    ],
} %}
with

published as (

    select * from {{ source('ops', 'published') }}

),

checks as (

    select
        run_id,
        check_name,
        is_passed,
        epoch = max(epoch) over (partition by run_id) as is_last
    from {{ source('ops', 'audits') }}

),

owed as (

    {% for scope, names in owed.items() %}
        select
            '{{ scope }}' as scope,
            unnest(string_to_array('{{ names | join(' ') }}', ' ')) as check_name
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

missing as (

    select
        published.scope,
        published.run_id,
        owed.check_name
    from published
    inner join owed on published.scope = owed.scope
    left join checks on published.run_id = checks.run_id and owed.check_name = checks.check_name and checks.is_last
    where checks.check_name is null

),

failed as (

    select
        published.scope,
        published.run_id,
        checks.check_name
    from published
    inner join checks on published.run_id = checks.run_id
    where checks.is_last and checks.is_passed is distinct from true

)

select * from missing
union all
select * from failed
