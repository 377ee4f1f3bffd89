"""Page: whether the data and the runs are well."""

import streamlit as st

from dashboard.charts import bars
from dashboard.shop import available, read


def show() -> None:
    """Draw the page."""
    st.title("Data health")
    st.subheader("What is published")
    st.dataframe(
        read(
            "select scope, run_id, as_of, data_through, published_at, started_by, git_commit from fct_runs"
            " where is_published order by scope"
        ),
        hide_index=True,
    )
    st.subheader("Drift")
    st.dataframe(available(read("select * from fct_drift")), hide_index=True)
    st.subheader("Records set aside")
    refused = read(
        "select table_name || ': ' || reason as reason, count(*) as records from fct_quarantine"
        " where not is_replayed group by 1 order by 2 desc limit 25"
    )
    if refused.empty:
        st.success("No record was set aside.")
    else:
        st.altair_chart(bars(refused, "records", "reason", "records in quarantine"))
    st.subheader("The latest runs")
    st.dataframe(
        read(
            "select run_id, scope, as_of, status, is_published, opened_at, finished_at, started_by from fct_runs"
            " order by run_id desc limit 50"
        ),
        hide_index=True,
    )
