"""Page: what the bundles earned, whether they caused it, and what another policy would earn."""

import altair as alt
import streamlit as st

from dashboard.charts import intervals
from dashboard.shop import available, read


def show() -> None:
    """Draw the page."""
    st.title("What they earned")
    _weeks()
    _experiment()
    _off_policy()


def _weeks() -> None:
    weeks = available(
        read(
            "select week, scenario || ', ' || policy as shown_by, impressions, clicks, purchases, click_rate,"
            " attach_rate, attach_rate_low, attach_rate_high, net_credited_revenue::float as net_credited_revenue,"
            " credited_margin::float as credited_margin, margin_note, rating_mean, other_rating_mean, return_rate,"
            " other_return_rate, repeat_rate, other_repeat_rate, unavailable_reason from fct_bundle_performance"
            " order by week, 2"
        )
    )
    if weeks.empty:
        return
    base = alt.Chart(weeks).encode(x=alt.X("week:T", title="week"), color=alt.Color("shown_by:N"))
    left, right = st.columns(2)
    left.altair_chart(
        base.mark_line(point=True).encode(y=alt.Y("net_credited_revenue:Q", title="credited revenue less returns"))
    )
    band = base.mark_area(opacity=0.25).encode(
        y=alt.Y("attach_rate_low:Q", title="attach rate, 95 % interval"), y2="attach_rate_high:Q"
    )
    right.altair_chart(band + base.mark_line(point=True).encode(y="attach_rate:Q"))
    st.dataframe(weeks.drop(columns="unavailable_reason"), hide_index=True)


def _experiment() -> None:
    st.subheader("Did they cause it?")
    readouts = available(
        read(
            "select arm || ', ' || measure as arm, customers, control_customers,"
            " adjusted_difference::float as difference, adjusted_difference_low::float as low,"
            " adjusted_difference_high::float as high, adjusted_uplift_share, explained_share, sample_ratio_p,"
            " refusal_reason, unavailable_reason from fct_experiment_readout order by 1"
        )
    )
    answered = readouts[readouts["difference"].notna()]
    if not answered.empty:
        title = "money per customer over the control arm, 95 % interval"
        st.altair_chart(intervals(answered, "difference", "low", "high", "arm", title))
    if not readouts.empty:
        st.dataframe(readouts.drop(columns="unavailable_reason"), hide_index=True)


def _off_policy() -> None:
    st.subheader("What another policy would earn, from what this one showed")
    values = available(
        read(
            "select target || ', ' || reward || ': ' || estimator as estimate, value, low, high, observed, impressions,"
            " effective_impressions, unseen_share, refusal_reason, unavailable_reason from fct_off_policy order by 1"
        )
    )
    answered = values[values["value"].notna()]
    if not answered.empty:
        st.altair_chart(intervals(answered, "value", "low", "high", "estimate", "value per impression, 95 % interval"))
    if not values.empty:
        st.dataframe(values.drop(columns="unavailable_reason"), hide_index=True)
