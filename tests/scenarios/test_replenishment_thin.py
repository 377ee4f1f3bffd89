"""Products that sold too seldom get a line each: what was counted, and no order."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.scenarios.replenishment.thin import thin_rows
from ml.tables import REPLENISHMENT

AS_OF = date(2024, 3, 31)


def test_a_product_of_few_sales_says_so_and_orders_nothing() -> None:
    products = pl.DataFrame(
        {"product_id": ["rum", "gin"], "available_units": [7, 0], "baskets": [12, None]},
        schema_overrides={"baskets": pl.Int64},
    )
    days = pl.DataFrame(
        {
            "product_id": ["rum", "rum", "rum"],
            "sold_on": [AS_OF, AS_OF - timedelta(days=83), AS_OF - timedelta(days=84)],
            "units": [20, 1, 99],
        }
    )
    gin, rum = thin_rows(products, days, AS_OF, 50)
    assert (rum["action"], rum["order_units"], rum["reorder_point_units"]) == ("too_few_sales", 0, None)
    assert rum["daily_units"] == pytest.approx(21 / 84) and rum["cover_days"] == pytest.approx(28)
    assert rum["reason"] == "sold in 12 baskets, 50 are needed for a forecast; 7 units in stock"
    assert (gin["daily_units"], gin["cover_days"]) == (0.0, None) and gin["reason"].startswith("sold in 0 baskets")
    REPLENISHMENT.conform(REPLENISHMENT.frame([gin, rum]).with_columns(run_id=1))
