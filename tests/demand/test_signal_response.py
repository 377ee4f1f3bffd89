"""Demand follows signals as far as the shop's past says, never what was told later, and not where none tells."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.signal_response import UNMOVED, SignalResponse, category_ratio, demand_shift, signal_response
from tests.demand.days import AS_OF, NO_SIGNALS
from tests.demand.signalled import CATEGORIES, INDEX, NAMES, RIVALS, SHOP, level, sold


@pytest.mark.parametrize("power", [0.2, 0.8])
def test_the_power_of_a_signal_is_learned_from_sales(power: float) -> None:
    found = signal_response(INDEX, sold(power), SHOP, AS_OF)
    assert found.category_demand == pytest.approx(power, rel=0.15)
    assert found.competitor_price == 0
    found = signal_response(RIVALS, sold(power, by="product"), SHOP, AS_OF)
    assert found.competitor_price == pytest.approx(power, rel=0.15)
    assert found.category_demand == 0


def test_demand_moves_with_what_is_told_now_beside_recent_weeks() -> None:
    days = sold(0.8)
    power = signal_response(INDEX, days, SHOP, AS_OF).category_demand
    shift = dict(demand_shift(INDEX, days, SHOP, AS_OF).iter_rows())
    logs = {name: [np.log(level(name, back)) for back in range(0, 56, 7)] for name in ("FOOD", "DRINKS")}
    for product, category in zip(NAMES, CATEGORIES, strict=True):
        own = logs[category]
        assert shift[product] == pytest.approx(np.exp(power * (own[0] - np.mean(own))))
    assert shift["p00"] != pytest.approx(shift["p01"], rel=0.01)


def test_a_signal_that_demand_does_not_follow_changes_nothing() -> None:
    assert signal_response(INDEX, sold(0.0), SHOP, AS_OF).category_demand == pytest.approx(0.0, abs=1e-3)
    contrary = signal_response(INDEX, sold(-0.5), SHOP, AS_OF)
    assert contrary == UNMOVED
    assert demand_shift(INDEX, sold(-0.5), SHOP, AS_OF)["signal_ratio"].to_list() == [1.0] * len(NAMES)


def test_nothing_told_or_sold_later_is_used() -> None:
    signals, days = pl.concat([INDEX, RIVALS]), sold(0.5)
    known = signals.filter(pl.col("signal_on") <= AS_OF), days.filter(pl.col("sold_on") <= AS_OF)
    assert signals.height > known[0].height and days.height > known[1].height
    assert demand_shift(signals, days, SHOP, AS_OF).equals(demand_shift(*known, SHOP, AS_OF))
    assert signal_response(signals, days, SHOP, AS_OF) == signal_response(*known, SHOP, AS_OF)


def test_a_shop_without_signals_or_without_a_past_is_not_moved() -> None:
    none = pl.DataFrame({"product_id": NAMES, "signal_ratio": [1.0] * len(NAMES)})
    assert demand_shift(NO_SIGNALS, sold(1.0), SHOP, AS_OF).equals(none)
    short = sold(1.0).filter(pl.col("sold_on") > AS_OF - timedelta(days=60))
    assert demand_shift(INDEX, short, SHOP, AS_OF).equals(none)


def test_a_category_is_wanted_as_much_as_the_power_of_its_index() -> None:
    rows = [("FOOD", 0, 1.44), ("TOYS", 0, 0.0), ("OLD", 40, 2.0), ("FOOD", -1, 9.0)]
    signals = pl.DataFrame(
        [
            {
                "kind": "category_demand",
                "category": category,
                "signal_on": AS_OF - timedelta(days=back),
                "signal_value": value,
            }
            for category, back, value in rows
        ],
        schema=NO_SIGNALS.schema,
    )
    asked = pl.DataFrame({"category": ["FOOD", "TOYS", "OLD", None]}).with_columns(day=pl.lit(AS_OF))
    found = category_ratio(signals, asked, SignalResponse(0.5, 0.0))
    assert found.to_list() == pytest.approx([1.2, 1.0, 1.0, 1.0])
    assert category_ratio(signals, asked, UNMOVED).to_list() == [1.0] * 4
