"""Products that sold too seldom for a forecast: a line each that says so, and what was counted."""

from datetime import date, timedelta

import polars as pl

from ml.scenarios.replenishment.plan import STILL, TOO_FEW, Row

COUNTED_DAYS = 84
"""Twelve weeks whose units are told: enough for a product of a few sales to show any."""
NO_MODEL, THIN = "none", "thin"


def thin_rows(products: pl.DataFrame, product_days: pl.DataFrame, as_of: date, least_baskets: int) -> list[Row]:
    """Return the rows of ``ml.replenishment``, without the run, of products without a forecast: nothing is ordered.

    A forecast of so few sales would be one of its category, and a reorder by it a guess; so the units a day are the
    plain mean of the last ``COUNTED_DAYS`` days, for whoever decides.

    Parameters
    ----------
    products
        Rows of ``features.ftr_products`` without an answer, with their stock.
    product_days
        Rows of ``features.ftr_product_days``.
    """
    recent = product_days.filter(pl.col("sold_on") > as_of - timedelta(days=COUNTED_DAYS), pl.col("sold_on") <= as_of)
    units = recent.group_by("product_id").agg(units=pl.col("units").sum())
    asked = products.select("product_id", "available_units", pl.col("baskets").fill_null(0)).join(
        units, on="product_id", how="left"
    )
    return [
        _row(product, stock, baskets, (sold or 0) / COUNTED_DAYS, least_baskets)
        for product, stock, baskets, sold in asked.sort("product_id").iter_rows()
    ]


def _row(product: str, stock: int, baskets: int, daily: float, least_baskets: int) -> Row:
    return {
        "product_id": product,
        "available_units": stock,
        "lead_days": None,
        "lead_note": "not asked for",
        "daily_units": daily,
        "bundle_units_per_day": 0.0,
        "lead_demand_units": None,
        "reorder_point_units": None,
        "order_up_to_units": None,
        "order_units": 0,
        "cover_days": stock / daily if daily > STILL else None,
        "action": TOO_FEW,
        "partner_ids": [],
        "reason": f"sold in {baskets} baskets, {least_baskets} are needed for a forecast; {stock} units in stock",
        "model": NO_MODEL,
        "demand_class": THIN,
    }
