"""Page: how the bundle policies and the scenarios did on what they had not seen."""

import streamlit as st

from dashboard.charts import intervals
from dashboard.shop import available, read


def show() -> None:
    """Draw the page."""
    st.title("Policies compared")
    metrics = read(
        "select policy, metric, variant, value, low, high, compared_with, difference, difference_low, difference_high,"
        " customers from fct_policy_metrics where is_latest"
    )
    if metrics.empty:
        st.info("No policy has been judged yet: train_models does it.")
    else:
        left, right = st.columns(2)
        metric = left.selectbox("metric", sorted(metrics["metric"].unique()), key="metric")
        variant = right.selectbox("variant", sorted(metrics["variant"].unique(), reverse=True), key="variant")
        chosen = metrics[(metrics["metric"] == metric) & (metrics["variant"] == variant)]
        st.altair_chart(intervals(chosen, "value", "low", "high", "policy", f"{metric} with 95 % interval"))
        st.dataframe(chosen.sort_values("value", ascending=False), hide_index=True)
    st.header("Scenarios beside today's rule")
    st.dataframe(
        available(
            read(
                "select scenario, kpi, variant, value, low, high, unit, peer, peer_value, difference, difference_low,"
                " difference_high, cases from fct_scenario_metrics order by scenario, kpi, variant"
            )
        ),
        hide_index=True,
    )
