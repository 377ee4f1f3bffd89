"""Page: what of the stock is promised, and what one more unit would bring."""

import streamlit as st

from dashboard.charts import bars
from dashboard.shop import read

SHOWN = 25


def show() -> None:
    """Draw the page."""
    st.title("Stock commitments")
    stock = read(
        "select coalesce(title, product_id) as product, product_id, category, available_units, capacity_units,"
        " promised_units, expected_units, promised_share, shadow_price::float as shadow_price from fct_shadow_prices"
    )
    if stock.empty:
        st.info(
            "No published run shares counted stock: the shop delivers no stock_levels, or nothing is published yet."
        )
        return
    promised = stock.nlargest(SHOWN, "promised_share")
    st.altair_chart(bars(promised, "promised_share", "product", "share of the capacity that is promised"))
    st.subheader("What one more unit would bring")
    scarce = stock[stock["shadow_price"] > 0].nlargest(SHOWN, "shadow_price")
    if scarce.empty:
        st.info("No product is so scarce that one more unit would change a bundle.")
    else:
        st.altair_chart(bars(scarce, "shadow_price", "product", "shadow price of a unit"))
    st.dataframe(stock.sort_values("promised_units", ascending=False), hide_index=True)
