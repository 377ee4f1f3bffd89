-- Products of a veto or an excluded category that are proposed for bundles or named as partners; and proposals without
-- a product that must be included, where there is such a rule.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

rules as (

    select * from {{ source('ml', 'applied_rules') }}
    where run_id = {{ audited_run() }} and is_applied

),

products as (

    select
        product_id,
        category,
        department,
        category_path
    from {{ ref('ftr_products') }}
    where as_of = {{ audited_as_of() }}

),

forbidden as (

    select coalesce(array_agg(products.product_id), '{}') as product_ids
    from products
    inner join rules
        on
            (rules.kind = 'veto' and products.product_id = rules.product_id)
            or (
                rules.kind = 'exclude_category'
                and rules.category in (products.category, products.department, products.category_path)
            )

),

wanted as (

    select array_agg(rules.product_id) as product_ids
    from rules
    where rules.kind = 'must_include'

),

proposed as (

    select
        product_id,
        array_append(partner_ids, product_id) as product_ids
    from {{ source('ml', 'replenishment') }}
    where run_id = {{ audited_run() }} and action = 'bundle_instead'

)

select
    proposed.product_id,
    proposed.product_ids
from proposed
cross join forbidden
cross join wanted
where
    proposed.product_ids && forbidden.product_ids
    or not coalesce(proposed.product_ids && wanted.product_ids, true)
