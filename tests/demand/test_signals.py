"""Signals reach the products they are about, never before their day, and are no number where there is none."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from ml.demand.signals import OLD_DAYS, signal_features
from tests.demand.days import NO_SIGNALS

DAY = date(2024, 3, 31)
ASKED = pl.DataFrame(
    {
        "product_id": ["tea", "jam", "tea"],
        "day": [DAY, DAY, DAY - timedelta(days=7)],
        "category": ["DRINKS", None, "DRINKS"],
        "price_cents": [100, 200, 80],
    }
)


def told(*rows: tuple[str, str | None, str | None, int, float]) -> pl.DataFrame:
    named = [
        {
            "signal_id": str(n),
            "kind": kind,
            "category": category,
            "product_id": product,
            "signal_on": DAY - timedelta(days=back),
            "signal_value": value,
        }
        for n, (kind, category, product, back, value) in enumerate(rows)
    ]
    return pl.DataFrame(named, schema=NO_SIGNALS.schema)


def columns(signals: pl.DataFrame) -> tuple[list[Any], list[Any]]:
    found = signal_features(signals, ASKED)
    assert found.select(ASKED.columns).equals(ASKED)
    return found["category_demand_index"].to_list(), found["competitor_price_ratio"].to_list()


def test_the_newest_signal_until_the_day_counts() -> None:
    signals = told(
        ("category_demand", "DRINKS", None, 8, 1.1),
        ("category_demand", "DRINKS", None, 1, 1.4),
        ("category_demand", "DRINKS", None, -1, 9.9),
        ("competitor_price", None, "tea", 2, 120.0),
        ("competitor_price", None, "jam", 0, 150.0),
        ("weather", "DRINKS", None, 0, 30.0),
    )
    assert columns(signals) == ([1.4, None, 1.1], [1.2, 0.75, None])


def test_an_old_signal_says_nothing() -> None:
    assert columns(told(("competitor_price", None, "tea", OLD_DAYS, 100.0)))[1] == [1.0, None, 1.25]
    assert columns(told(("competitor_price", None, "tea", OLD_DAYS + 1, 100.0)))[1] == [None, None, 1.25]


def test_a_shop_without_signals_gets_no_number() -> None:
    assert columns(NO_SIGNALS) == ([None] * 3, [None] * 3)
