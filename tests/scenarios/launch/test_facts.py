"""What is known of a new product: launches of its category, and how much the market says the category is wanted now."""

from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest

from ml.demand.launches import learn_launches, past_launches
from ml.demand.signal_response import SignalResponse, signal_response
from ml.params import RunParams
from ml.scenarios.ground import Ground
from ml.scenarios.launch.budget import Trial
from ml.scenarios.launch.facts import WINDOW_DAYS, conversion_of, learned_launches, trials_of
from tests.demand.days import AS_OF, NO_SIGNALS, products
from tests.demand.signalled import INDEX, SHOP, sold, surged

RATIO, LAUNCHED = 1.5, AS_OF - timedelta(days=60)
NEW = products("n", category=["FOOD"], launched_on=[None])
PRODUCTS = pl.concat([SHOP, products("last", category=["FOOD"], launched_on=[LAUNCHED]), NEW])
BASKETS = pl.DataFrame(
    [(LAUNCHED + timedelta(days=back), f"c{back}", ["last" if back % 5 == 0 else "p01"]) for back in range(60)],
    ["basket_on", "customer_id", "product_ids"],
    orient="row",
).with_columns(is_giant=pl.lit(False))
DAYS = sold(0.8)


def trial(signals: pl.DataFrame) -> Trial:
    purchases = pl.DataFrame({"product_id": ["p01"], "baskets": [10], "units": [20]})
    context = SimpleNamespace(as_of=AS_OF, params=RunParams(scenario="launch"))
    ground = SimpleNamespace(
        context=context, baskets=BASKETS, products=PRODUCTS, product_days=DAYS, purchases=purchases,
        market_signals=signals,
    )  # fmt: skip
    return trials_of(cast(Ground, ground), NEW)["n"]


def test_a_surge_of_its_category_raises_what_is_expected_of_a_new_product() -> None:
    before, after = trial(INDEX), trial(surged("FOOD", RATIO))
    power = signal_response(INDEX, DAYS, PRODUCTS, AS_OF).category_demand
    assert power > 0.5
    assert before.conversion is not None and after.conversion is not None
    assert after.conversion.mean == pytest.approx(before.conversion.mean * RATIO**power)
    assert after.demand_ratio == pytest.approx(before.demand_ratio * RATIO**power)
    assert trial(surged("DRINKS", RATIO)) == before


def test_a_launch_in_times_of_more_demand_says_less_of_usual_ones() -> None:
    rows = [
        {"kind": "category_demand", "category": "FOOD", "signal_on": LAUNCHED + timedelta(days=14), "signal_value": 4.0}
    ]
    told = pl.DataFrame(rows, schema=NO_SIGNALS.schema)
    usual, high = (
        learned_launches(BASKETS, PRODUCTS, signals, SignalResponse(0.5, 0.0), AS_OF) for signals in (NO_SIGNALS, told)
    )
    assert usual is not None and high is not None
    assert high.mean == pytest.approx(usual.mean / 2)


def test_without_signals_launches_of_the_past_say_the_same_as_ever() -> None:
    learned = learn_launches(past_launches(BASKETS, PRODUCTS, AS_OF, WINDOW_DAYS))
    assert learned is not None
    assert trial(NO_SIGNALS).conversion == conversion_of(NEW.row(0, named=True), learned, AS_OF, 28, 1.0)
    assert learned.conversion("FOOD", 1.0) == learned.conversion("FOOD")
    assert trial(NO_SIGNALS).demand_ratio == 1.0
