-- One row per merchandiser's rule that a published run had in force: what it came to, and what it cost.
with

rules as (

    select * from {{ source('ml', 'applied_rules') }}
    where run_id in (select published.run_id from {{ source('ops', 'published') }} as published)

),

costs as (

    select * from {{ source('ml', 'rule_costs') }}
    where run_id in (select published.run_id from {{ source('ops', 'published') }} as published)

),

runs as (

    select * from {{ ref('fct_runs') }}

),

shown as (

    select
        runs.scope as scenario,
        rules.rule_id,
        rules.kind as rule_kind,
        rules.product_id,
        rules.category,
        {{ decimal_money('rules.floor_cents') }} as price_floor,
        rules.is_applied,
        rules.detail,
        costs.measure,
        {{ decimal_money('costs.value_with') }} as value_with,
        {{ decimal_money('costs.value_without') }} as value_without,
        {{ decimal_money('costs.cost') }} as cost,
        costs.detail as cost_detail,
        rules.author as rule_author,
        rules.reason as rule_reason,
        rules.run_id,
        runs.as_of
    from rules
    inner join runs on rules.run_id = runs.run_id
    left join costs on rules.run_id = costs.run_id and rules.rule_id = costs.rule_id

)

select * from shown
