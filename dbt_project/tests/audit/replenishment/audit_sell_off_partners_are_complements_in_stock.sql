-- Partners of a slow mover that are not in stock, the product itself, or not known to complete it: told to, or bought
-- together more than chance would have it and not told to be substitutes. By the personal run that the plan stands on.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

proposed as (

    select
        product_id,
        unnest(partner_ids) as partner_id
    from {{ source('ml', 'replenishment') }}
    where run_id = {{ audited_run() }}

),

complements as (

    select
        product_a,
        product_b
    from {{ source('ml', 'associations') }}
    where
        run_id = (
            select (runs.counts ->> 'personal_run')::bigint
            from {{ source('ops', 'runs') }} as runs
            where runs.run_id = {{ audited_run() }}
        )
        and (relation = 'complement' or (relation = 'undecided' and lift_low > 1))

),

in_stock as (

    select product_id
    from {{ ref('ftr_products') }}
    where as_of = {{ audited_as_of() }} and available_units > 0

)

select
    proposed.product_id,
    proposed.partner_id
from proposed
left join complements
    on
        least(proposed.product_id, proposed.partner_id) = least(complements.product_a, complements.product_b)
        and greatest(proposed.product_id, proposed.partner_id) = greatest(complements.product_a, complements.product_b)
left join in_stock on proposed.partner_id = in_stock.product_id
where
    complements.product_a is null
    or in_stock.product_id is null
    or proposed.product_id = proposed.partner_id
