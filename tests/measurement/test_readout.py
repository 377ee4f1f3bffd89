"""The read-out of a tiny experiment: who is counted, when money counts as after, and when nothing is said."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.errors import ConfigError
from ml.measurement.readout import exposures, money_around, planned_arms, readout_rows
from ml.params import RunParams
from ml.tables import BASKETS, EXPERIMENT_READOUTS, FEEDBACK, PRODUCTS

DAY = date(2024, 3, 8)
PARAMS = RunParams(scenario="measurements")


def feedback(*rows: tuple[str, str | None, int]) -> pl.DataFrame:
    """Return impressions: customer, variant, days after the first one."""
    return pl.DataFrame(
        [
            {"feedback_id": str(n), "customer_id": who, "variant": arm, "occurred_on": DAY + timedelta(days=later)}
            for n, (who, arm, later) in enumerate(rows)
        ],
        schema={name: FEEDBACK.columns[name] for name in ("feedback_id", "customer_id", "variant", "occurred_on")},
    ).with_columns(kind=pl.lit("impression"))


def baskets(*rows: tuple[str, int, dict[str, tuple[int, int]]]) -> pl.DataFrame:
    """Return baskets: customer, days after the first impression, and units and cents by product."""
    told = [
        {
            "customer_id": who,
            "basket_on": DAY + timedelta(days=later),
            "product_ids": list(lines),
            "quantities": [units for units, _ in lines.values()],
            "paid_cents": [cents for _, cents in lines.values()],
        }
        for who, later, lines in rows
    ]
    names = ("customer_id", "basket_on", "product_ids", "quantities", "paid_cents")
    return pl.DataFrame(told, schema={name: BASKETS.columns[name] for name in names})


def products(**costs: int | None) -> pl.DataFrame:
    rows = [{"product_id": name, "cost_cents": cost} for name, cost in costs.items()]
    return pl.DataFrame(rows, schema={name: PRODUCTS.columns[name] for name in ("product_id", "cost_cents")})


def test_who_was_shown_two_arms_is_in_none() -> None:
    found = exposures(feedback(("ann", "a", 3), ("ann", "a", 1), ("bob", "a", 0), ("bob", "b", 0), ("eve", None, 0)))
    assert found.rows() == [("ann", "a", DAY + timedelta(days=1)), ("bob", None, DAY)]


def test_money_before_and_after_by_hand() -> None:
    exposed = exposures(feedback(("ann", "a", 0), ("bob", "b", 2)))
    sold = baskets(
        ("ann", -8, {"tea": (1, 999)}),  # too long ago
        ("ann", -7, {"tea": (1, 100)}),
        ("ann", 0, {"tea": (2, 300), "jam": (1, 50)}),  # the day of the exposure counts as after
        ("bob", 1, {"tea": (1, 70)}),
        ("eve", 3, {"tea": (1, 1)}),
    )
    found, lacking = money_around(exposed, sold, products(tea=60, jam=None), 7)
    assert lacking == 1
    columns = ["customer_id", "revenue_before", "revenue_after", "margin_before", "margin_after"]
    assert found.select(columns).rows() == [("ann", 100, 350, 40, 180), ("bob", 70, 0, 10, 0)]


def test_arms_are_those_of_the_form_or_equal() -> None:
    assert planned_arms(PARAMS, ["a", "b"]) == {"a": 0.5, "b": 0.5}
    asked = RunParams(experiment_arms=("control=0.2", "new=bundles=0.8"))
    assert planned_arms(asked, ["a"]) == {"control": 0.2, "new=bundles": 0.8}
    with pytest.raises(ConfigError, match="control=half"):
        planned_arms(RunParams(experiment_arms=("control=half",)), [])


def shop(size: int, uplift: int, costs: dict[str, int | None]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(5)
    names = [f"c{n:04d}" for n in range(size)]
    arms = ["bundles" if n % 2 else "control" for n in range(size)]
    usual = rng.gamma(3, 300, size).astype(int)
    sold = [(name, -3, {"tea": (1, int(cents))}) for name, cents in zip(names, usual, strict=True)]
    sold += [
        (name, 2, {"tea": (1, int(cents + rng.integers(0, 200) + uplift * (arm == "bundles")))})
        for name, arm, cents in zip(names, arms, usual, strict=True)
    ]
    return feedback(*((name, arm, 0) for name, arm in zip(names, arms, strict=True))), baskets(*sold), products(**costs)


def test_a_planted_uplift_is_read_out_in_both_measures() -> None:
    rows, lacking = readout_rows(*shop(800, 100, {"tea": 50}), PARAMS)
    assert lacking is None and [row["measure"] for row in rows] == ["revenue", "margin"]
    table = EXPERIMENT_READOUTS.conform(EXPERIMENT_READOUTS.frame(rows).with_columns(run_id=1))
    for row in table.to_dicts():
        assert (row["arm"], row["control"], row["customers"], row["control_customers"]) == (
            "bundles",
            "control",
            400,
            400,
        )
        assert row["refusal_reason"] is None and row["sample_ratio_p"] == 1
        assert row["adjusted_difference_low_cents"] < 100 < row["adjusted_difference_high_cents"]
        wide, narrow = (row[f"{p}difference_high_cents"] - row[f"{p}difference_low_cents"] for p in ("", "adjusted_"))
        assert narrow < 0.3 * wide and row["explained_share"] > 0.9


def test_margin_is_refused_where_costs_lack_and_revenue_is_told() -> None:
    rows, _ = readout_rows(*shop(800, 0, {"tea": None}), PARAMS)
    table = EXPERIMENT_READOUTS.conform(EXPERIMENT_READOUTS.frame(rows).with_columns(run_id=1))
    revenue, margin = table.to_dicts()
    assert revenue["refusal_reason"] is None and revenue["difference_cents"] is not None
    assert margin["refusal_reason"] == "not available: needs the cost of every product sold, 1600 lines lack it"
    assert all(margin[name] is None for name in EXPERIMENT_READOUTS.optional if name != "refusal_reason")


def test_arms_that_came_out_uneven_are_refused() -> None:
    asked = RunParams(experiment_arms=("control=0.8", "bundles=0.2"))
    rows, _ = readout_rows(*shop(800, 0, {"tea": 50}), asked)
    assert all(str(row["refusal_reason"]).startswith("sample ratio mismatch") for row in rows)
    assert all("difference_cents" not in row for row in rows)


def test_what_lacks_is_named() -> None:
    shown, sold, known = shop(10, 0, {"tea": 50})
    assert readout_rows(shown.clear(), sold, known, PARAMS) == ([], "not available: needs bundle_feedback")
    one_arm = shown.filter(variant="control")
    rows, lacking = readout_rows(one_arm, sold, known, PARAMS)
    assert not rows and lacking is not None and "needs two arms or more" in lacking
    rows, lacking = readout_rows(shown, sold, known, RunParams(experiment_control="nobody"))
    assert not rows and lacking is not None and lacking.endswith("one of them nobody")
