-- Rules that were obeyed without a cost, not obeyed with one or without a reason, and costs that are no difference.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

rules as (

    select * from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }}

),

costs as (

    select * from {{ source('ml', 'rule_costs') }}
    where run_id = {{ audited_run() }}

)

select
    coalesce(rules.rule_id, costs.rule_id) as rule_id,
    rules.is_applied,
    costs.cost
from rules
full outer join costs on rules.rule_id = costs.rule_id
where
    coalesce(rules.is_applied, false) is distinct from (costs.rule_id is not null)
    or trim(rules.detail) = ''
    or abs(costs.value_without - costs.value_with - costs.cost) > 1e-6 * greatest(1, abs(costs.value_with))
