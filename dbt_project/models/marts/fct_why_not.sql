-- One row per question why a customer of a run is not offered some products together; of all runs, not of the published
-- one alone.
with

answers as (

    select * from {{ source('ml', 'why_not') }}

),

named as (

    select
        answers.run_id,
        answers.customer_id,
        answers.product_key,
        string_agg(coalesce(products.title, entries.product_id), ' + ' order by entries.place) as products
    from answers
    cross join lateral unnest(answers.product_ids) with ordinality as entries (product_id, place)
    left join {{ ref('dim_products') }} as products on entries.product_id = products.product_id
    group by answers.run_id, answers.customer_id, answers.product_key

),

runs as (

    select * from {{ ref('fct_runs') }}

),

shown as (

    select
        answers.customer_id,
        answers.product_key,
        named.products,
        answers.product_ids,
        answers.verdict,
        answers.bundle_rank,
        answers.objective,
        answers.best_objective,
        answers.cost_of_forcing,
        answers.binding,
        answers.detail,
        runs.is_published,
        answers.run_id,
        runs.as_of
    from answers
    inner join runs on answers.run_id = runs.run_id
    left join named
        on
            answers.run_id = named.run_id
            and answers.customer_id = named.customer_id
            and answers.product_key = named.product_key

)

select * from shown
