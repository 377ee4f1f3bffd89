"""Page: the bundles that are published now."""

import pandas as pd
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
    newest = run.iloc[0]
    st.caption(
        f"Run {newest.run_id} of {newest.as_of}, with data through {newest.data_through}, published at "
        f"{newest.published_at:%Y-%m-%d %H:%M} UTC"
    )
    offered = read(
        "select count(distinct customer_id) as customers, count(*) as bundles, sum(expected_revenue)::float as revenue,"
        " sum(expected_margin)::float as margin from fct_bundles where bundle_size > 0"
    ).iloc[0]
    shown = {
        "customers with a bundle": f"{offered.customers:,.0f}",
        "bundles": f"{offered.bundles:,.0f}",
        "expected revenue": _money(offered.revenue),
        "expected margin": _money(offered.margin),
    }
    for column, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(label, value)
    st.subheader("What came of it")
    outcome = read(
        "select coalesce(fallback_reason, status) as outcome, count(*) as bundles from fct_bundles group by 1"
    )
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


def _money(amount: float | None) -> str:
    return "unknown" if pd.isna(amount) else f"{amount:,.2f}"
