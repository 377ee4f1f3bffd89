"""A few products' sales by day, for the tests of forecasts."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.sales import Sales, sales_of
from ml.tables import MARKET_SIGNALS, PRODUCTS, STOCK_OUTS

AS_OF = date(2024, 3, 31)
NO_SIGNALS = MARKET_SIGNALS.frame([]).drop("as_of")
NO_STOCK_OUTS = STOCK_OUTS.frame([]).drop("as_of")


def products(*product_ids: str, **columns: list[Any]) -> pl.DataFrame:
    """Return products of one category without launch or promotions, but for what ``columns`` say."""
    rows = len(product_ids)
    whole = {name: columns.get(name, [None] * rows) for name in PRODUCTS.columns if not name.endswith("_vector")}
    whole |= {"product_id": list(product_ids), "category": columns.get("category", ["FOOD"] * rows)}
    kinds = {name: PRODUCTS.columns[name] for name in whole}
    return pl.DataFrame(whole, schema=kinds, strict=False)


def sold(units: dict[str, dict[int, int]], price_cents: int = 100) -> pl.DataFrame:
    """Return ``features.ftr_product_days``: units by product and days before ``AS_OF``."""
    rows = [
        {
            "product_id": product,
            "sold_on": AS_OF - timedelta(days=back),
            "units": count,
            "price_cents": price_cents,
        }
        for product, days in units.items()
        for back, count in days.items()
        if count
    ]
    return pl.DataFrame(
        rows, schema={"product_id": pl.String, "sold_on": pl.Date, "units": pl.Int64, "price_cents": pl.Int32}
    )


def sales(units: NDArray[np.integer], signals: pl.DataFrame = NO_SIGNALS, category: str = "FOOD") -> Sales:
    """Return the sales of (P, T) units, the last column being ``AS_OF``; products p000, p001, ..."""
    names = [f"p{number:03d}" for number in range(len(units))]
    width = units.shape[1]
    counts = {
        name: {width - 1 - day: int(count) for day, count in enumerate(row)}
        for name, row in zip(names, units, strict=True)
    }
    there = AS_OF - timedelta(days=width - 1)
    known = products(*names, launched_on=[there] * len(names), category=[category] * len(names))
    return sales_of(sold(counts), known, NO_STOCK_OUTS, signals, AS_OF)
