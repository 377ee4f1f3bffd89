"""An experiment read out by assignment: whoever an arm was given to is counted in it, whatever they were shown."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.evaluation.experiment import HOLDOUT, ExperimentParams, assign
from ml.measurement.readout import NO_FEEDBACK, assigned, readout_rows
from ml.params import RunParams
from ml.tables import BASKETS, FEEDBACK

START = date(2024, 3, 8)
ARMS = ("control=0.5", "bundles=0.5")
ASKED = RunParams(
    scenario="measurements", experiment_name="spring", experiment_starts_on=START.isoformat(),
    experiment_arms=ARMS, experiment_holdout_share=0.2,
)  # fmt: skip
PLAN = ExperimentParams("spring", {"control": 0.5, "bundles": 0.5}, 0.2)
PRODUCTS = pl.DataFrame({"product_id": ["tea"], "cost_cents": [50]})
CUSTOMERS = [f"c{n:04d}" for n in range(2000)]


def impressions(shown: dict[str, str], day: date = START) -> pl.DataFrame:
    rows = {
        "feedback_id": list(shown),
        "customer_id": list(shown),
        "variant": list(shown.values()),
        "occurred_on": [day] * len(shown),
        "kind": ["impression"] * len(shown),
    }
    return pl.DataFrame(rows, schema={name: FEEDBACK.columns[name] for name in rows})


def paid(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    """Return baskets: customer, days after the start, cents."""
    told = {
        "customer_id": [who for who, _, _ in rows],
        "basket_on": [START + timedelta(days=later) for _, later, _ in rows],
        "product_ids": [["tea"]] * len(rows),
        "quantities": [[1]] * len(rows),
        "paid_cents": [[cents] for _, _, cents in rows],
    }
    return pl.DataFrame(told, schema={name: BASKETS.columns[name] for name in told})


def shop(uplift: int, never_shown: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return impressions and baskets; ``uplift`` cents more from customers of the arm who were shown their bundles."""
    rng = np.random.default_rng(4)
    usual = rng.gamma(3, 300, len(CUSTOMERS)).astype(int)
    arms = assign(CUSTOMERS, PLAN)
    is_shown = (rng.random(len(CUSTOMERS)) >= never_shown) & np.array([arm != HOLDOUT for arm in arms])
    sold = [(who, -3, int(cents)) for who, cents in zip(CUSTOMERS, usual, strict=True)]
    sold += [
        (who, 2, int(cents + uplift * (arm == "bundles" and shown)))
        for who, cents, arm, shown in zip(CUSTOMERS, usual, arms, is_shown, strict=True)
    ]
    sold += [("new", 3, 1_000_000)]  # came after the start: in no arm
    shown = {who: arm for who, arm, is_one in zip(CUSTOMERS, arms, is_shown, strict=True) if is_one}
    return impressions(shown), paid(sold)


def test_everybody_who_had_bought_before_is_in_the_arm_that_the_name_gives() -> None:
    found = assigned(paid([("ann", -1, 5), ("bob", 0, 5), ("ann", -9, 5), ("eve", -400, 5)]), START, PLAN)
    assert found.rows() == [
        (who, arm, START) for who, arm in zip(("ann", "eve"), assign(["ann", "eve"], PLAN), strict=True)
    ]


def test_customers_whom_the_arm_never_reached_thin_out_the_uplift() -> None:
    rows, lacking = readout_rows(*shop(100, never_shown=0.5), PRODUCTS, ASKED)
    revenue = {row["arm"]: row for row in rows if row["measure"] == "revenue"}
    assert lacking is None and set(revenue) == {"bundles", HOLDOUT}
    assert revenue["bundles"]["planned_share"] == pytest.approx(0.4) and revenue[HOLDOUT]["planned_share"] == 0.2
    arms = assign(CUSTOMERS, PLAN)
    assert [revenue[arm]["customers"] for arm in ("bundles", HOLDOUT)] == [arms.count("bundles"), arms.count(HOLDOUT)]
    # Nothing but the uplift differs, so that the adjusted difference is it: half of them were shown anything.
    bundles, held = (revenue[arm] for arm in ("bundles", HOLDOUT))
    assert bundles["adjusted_difference_low_cents"] < 50 < bundles["adjusted_difference_high_cents"]
    assert bundles["adjusted_difference_low_cents"] > 40 and bundles["adjusted_difference_high_cents"] < 60
    assert held["adjusted_difference_low_cents"] <= 0 <= held["adjusted_difference_high_cents"]


def test_a_shop_that_did_not_split_as_asked_is_told_so() -> None:
    feedback, sold = shop(0, never_shown=0)
    shown = dict(zip(feedback["customer_id"], feedback["variant"], strict=True))
    few = dict(list(shown.items())[:20])
    turned = {who: "control" if arm == "bundles" else "bundles" for who, arm in few.items()}
    rows, _ = readout_rows(impressions(shown | turned), sold, PRODUCTS, ASKED)
    assert rows[0]["refusal_reason"] is None and rows[0]["crossed_customers"] == 20
    all_turned = {who: "control" if arm == "bundles" else "bundles" for who, arm in shown.items()}
    rows, _ = readout_rows(impressions(all_turned), sold, PRODUCTS, ASKED)
    reason = f"of {len(shown)} customers who were shown bundles, {len(shown)} were shown an arm that experiment_name"
    assert all(str(row["refusal_reason"]).startswith(reason) and "mean_cents" not in row for row in rows)


def test_what_was_shown_before_the_start_is_no_part_of_it() -> None:
    _, sold = shop(0, never_shown=0)
    before = impressions({"c0001": "control", "c0002": "bundles"}, START - timedelta(days=1))
    assert readout_rows(before, sold, PRODUCTS, ASKED) == ([], NO_FEEDBACK)
