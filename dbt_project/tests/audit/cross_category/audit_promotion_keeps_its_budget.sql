-- One row where the expected discounts of the promotion cost more than its budget.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select sum(discount_cost_cents) as discount_cost_cents
from {{ source('ml', 'promotion_products') }}
where run_id = {{ audited_run() }}
having not sum(discount_cost_cents) <= {{ audited_param('promotion_budget_cents') }}::float8 * (1 + 1e-6) + 1e-3
