"""Page: the bundles that are published now."""

import streamlit as st

from dashboard.charts import bars
from dashboard.shop import read

SHOWN = 200


def show() -> None:
    """Draw the page."""
    st.title("Today's bundles")
    run = read(
        "select run_id, as_of, data_through, published_at from fct_runs where scope = 'personal' and is_published"
    )
    if run.empty:
        st.info("Nothing is published yet: trigger load_shop in Airflow.")
        return
    outcome = read(
        "select coalesce(fallback_reason, status) as outcome, count(*) as bundles, count(distinct customer_id) as"
        " customers, sum(expected_revenue)::float as expected_revenue, sum(expected_margin)::float as expected_margin"
        " from fct_bundles group by 1 order by 2 desc"
    )
    newest = run.iloc[0]
    st.caption(
        f"Run {newest.run_id} of {newest.as_of}, with data through {newest.data_through}, published at "
        f"{newest.published_at:%Y-%m-%d %H:%M} UTC"
    )
    offered = read("select count(distinct customer_id) as customers from fct_bundles where bundle_size > 0")
    margin = outcome["expected_margin"].sum(min_count=1)
    for column, (label, value) in zip(
        st.columns(4),
        {
            "customers with a bundle": f"{offered.iloc[0, 0]:,}",
            "bundles": f"{outcome.loc[outcome.expected_revenue > 0, 'bundles'].sum():,}",
            "expected revenue": f"{outcome['expected_revenue'].sum():,.2f}",
            "expected margin": "unknown" if margin != margin else f"{margin:,.2f}",
        }.items(),
        strict=True,
    ):
        column.metric(label, value)
    st.subheader("What came of it")
    st.altair_chart(bars(outcome, "bundles", "outcome", "bundles, or customers without one"))
    st.subheader("Look one up")
    wanted = st.text_input("Customer, or a word of a product", key="wanted")
    st.dataframe(
        read(
            "select customer_id, bundle_rank, products, bundle_price::float as bundle_price, expected_revenue::float as"
            " expected_revenue, round(joint_probability::numeric, 3)::float as probability, status, gap_pct, reason,"
            " fallback_reason from fct_bundles where :wanted = '' or customer_id = :wanted"
            " or products ilike '%' || :wanted || '%'"
            " order by expected_revenue desc nulls last, customer_id, bundle_rank limit :shown",
            wanted=wanted.strip(),
            shown=SHOWN,
        ),
        hide_index=True,
    )
