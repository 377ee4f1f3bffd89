"""Cards judged on days they have not seen: the answers are counted, the rules get their best, ties count half."""

from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from ml.scenarios.customer_care.evaluation import FREQUENT, RECENCY, RHYTHM, due_cases, judge, lapse_cases
from ml.scenarios.judged import paired
from tests.demand.test_lapse import LAST, world

ORIGIN = LAST
COMPARE = partial(paired, draws=100, seed=1)
SPOKEN = pl.DataFrame({"product_id": ["jam", "tea"]})


def baskets(seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    visits = world(seed).rename({"visited_on": "basket_on"})
    held = [[name for name, share in (("jam", 0.6), ("tea", 0.3), ("wine", 0.9)) if rng.random() < share] or ["jam"]
            for _ in range(visits.height)]  # fmt: skip
    frame = visits.with_columns(product_ids=pl.Series(held), is_giant=pl.lit(False))
    return frame.with_columns(
        paid_cents=pl.col("product_ids").list.eval(pl.element().str.len_chars().cast(pl.Int64) * 100)
    )


def test_every_number_is_told_beside_its_rule() -> None:
    found = {(one.kpi, one.variant): one for one in judge(baskets(), SPOKEN, ORIGIN, 20, COMPARE)}
    for rule in (RECENCY, RHYTHM):
        for kpi in ("lapse_brier", "lapse_auc", "lapse_spending_caught", "lapse_alert_precision_at_cap"):
            assert found[kpi, rule].peer == rule
            assert found[kpi, rule].cases > 100
        assert found["lapse_brier", rule].difference < 0, "the rules know less"  # type: ignore[operator]
    assert found["due_precision", "all"].peer == FREQUENT
    assert {one.judged_on for one in found.values()} == {
        f"{ORIGIN + timedelta(days=1)} to {ORIGIN + timedelta(days=28)}"
    }


def test_alerts_keep_the_cap_and_what_came_later_is_not_known() -> None:
    sold = baskets()
    cases = lapse_cases(sold, ORIGIN, 7)
    assert cases is not None
    assert all(flags.sum() <= 7 for flags in [*cases.flagged.values(), *cases.foremost.values()])
    answers = sold.with_columns(paid_cents=pl.when(pl.col("basket_on") <= ORIGIN).then("paid_cents"))
    later = lapse_cases(answers, ORIGIN, 7)
    assert later is not None and np.array_equal(later.spending, cases.spending)


def test_due_is_compared_with_as_many_frequent_products_and_nothing_sensitive() -> None:
    table = due_cases(baskets(), SPOKEN, ORIGIN)
    assert table.height and set(table["due"].unique()) <= {0.0, 0.5, 1.0}
    assert (table["due"].mean(), table["frequent"].mean()) == pytest.approx((table["due"].mean(),) * 2, abs=0.3)


def test_a_shop_without_a_past_is_not_judged() -> None:
    young = baskets().filter(pl.col("basket_on") > date(2024, 6, 1))
    assert judge(young, SPOKEN, ORIGIN - timedelta(days=28), 9, COMPARE) == []
