"""Ten questions of analysts to the marts, as heavy as people ask them: over all bundles, not over one customer's."""

from benchmarks.serving import Question

TEXTS = {
    "bundles_by_category": """
        select category, count(distinct bundle_id) as bundles, sum(price) as value
        from marts.fct_bundle_items group by category order by bundles desc limit 20""",
    "most_bundled_products": """
        select product_id, title, count(*) as bundles from marts.fct_bundle_items
        group by product_id, title order by bundles desc, product_id limit 50""",
    "products_met_together": """
        select a.product_id, b.product_id as other, count(*) as bundles
        from marts.fct_bundle_items as a
        inner join marts.fct_bundle_items as b on a.bundle_id = b.bundle_id and a.product_id < b.product_id
        group by a.product_id, b.product_id order by bundles desc, a.product_id, other limit 20""",
    "value_by_policy": """
        select policy, status, count(*) as bundles, sum(expected_revenue) as revenue, avg(joint_probability) as chance
        from marts.fct_bundles group by policy, status""",
    "price_quartiles": """
        select percentile_cont(array[0.25, 0.5, 0.75]) within group (order by bundle_price) from marts.fct_bundles""",
    "best_customers": """
        select customer_id, sum(expected_revenue) as revenue from marts.fct_bundles
        group by customer_id order by revenue desc, customer_id limit 20""",
    "customers_of_a_product": """
        select count(distinct customer_id) from marts.fct_bundle_items where title like 'Product 1%'""",
    "departments_mixed": """
        select departments, count(*) as bundles from (
            select i.bundle_id, count(distinct p.department) as departments
            from marts.fct_bundle_items as i inner join marts.dim_products as p on i.product_id = p.product_id
            group by i.bundle_id
        ) as mixed group by departments order by departments""",
    "never_bundled": """
        select count(*) from marts.dim_products as p
        where not exists (select from marts.fct_bundle_items as i where i.product_id = p.product_id)""",
    "runs_of_late": """
        select scope, as_of, status, published_at from marts.fct_runs order by run_id desc limit 30""",
}
ANALYSTS = tuple(
    Question(name, "bundles_analyst", f"{text.strip()};\n", is_prepared=False) for name, text in TEXTS.items()
)
