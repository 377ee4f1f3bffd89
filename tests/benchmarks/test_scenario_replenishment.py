"""What the benchmark of replenishment takes from the simulated shop."""

from datetime import datetime, timedelta

import polars as pl

from benchmarks.scenario_replenishment import _stock_outs
from ml.sources.simulated_shop import FIRST_AS_OF


def test_a_stretch_without_stock_begins_after_the_first_empty_evening() -> None:
    def evening(back: int) -> datetime:
        return datetime(FIRST_AS_OF.year, FIRST_AS_OF.month, FIRST_AS_OF.day, 23, 59) - timedelta(days=back)

    counted = [("jam", 9, 0), ("jam", 6, 5), ("tea", 3, 0), ("rum", 4, 0), ("rum", 3, 7)]
    counts = pl.DataFrame(
        [(product, evening(back), units) for product, back, units in counted],
        schema=["product_id", "counted_at", "on_hand_units"],
        orient="row",
    )
    stretches = {product: (begins, ends) for product, begins, ends in _stock_outs(counts).iter_rows()}
    assert stretches == {
        "jam": (FIRST_AS_OF - timedelta(days=8), FIRST_AS_OF - timedelta(days=7)),
        "tea": (FIRST_AS_OF - timedelta(days=2), FIRST_AS_OF),
    }
