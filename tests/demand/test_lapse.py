"""The risk of staying away: features worked by hand, calibrated on a planted world, with honest intervals."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.lapse import WINDOW_DAYS, describe, fit_lapse, stayed_away, visit_days

LAST = date(2024, 6, 30)


def visits(**days_ago: list[int]) -> pl.DataFrame:
    """Return visits by customer, in days before the morning after ``LAST``."""
    rows = [(who, LAST + timedelta(days=1 - ago)) for who, own in days_ago.items() for ago in own]
    return pl.DataFrame(rows, {"customer_id": pl.String, "visited_on": pl.Date}, orient="row")


def world(seed: int, customers: int = 600) -> pl.DataFrame:
    """Return visits at random by customers of different rates, of whom some leave for good on a random day."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        rate, leaves = rng.gamma(2, 0.06), rng.uniform(60, 900)
        days = np.flatnonzero(rng.random(330) < rate)
        rows += [(f"c{number:03d}", LAST + timedelta(days=int(day) - 300)) for day in days if day < leaves]
    return pl.DataFrame(rows, {"customer_id": pl.String, "visited_on": pl.Date}, orient="row")


def test_what_is_described_is_what_happened_before_the_morning() -> None:
    known = visits(ann=[40, 20, 10], bob=[9, 3], eve=[70, 50, 30, -5])
    found = describe(known, LAST)
    assert found["customer_id"].to_list() == ["ann", "eve"], "bob's two visits say nothing of a rhythm"
    ann = found.row(0, named=True)
    assert (ann["visits"], ann["days_since_last"], ann["tenure_days"], ann["mean_gap_days"]) == (3, 10, 40, 15.0)
    assert (ann["longest_gap_days"], ann["last_gap_days"]) == (20, 10)
    assert (ann["visits_4"], ann["visits_8"], ann["visits_12"]) == (2, 1, 0)
    assert ann["usual_risk"] == pytest.approx(np.exp(-28 / 15))
    assert stayed_away(known, found, LAST).tolist() == [1.0, 0.0], "eve comes five days later"


def test_a_visit_after_the_day_changes_nothing() -> None:
    known = world(3, 50)
    later = pl.DataFrame({"customer_id": ["c001"] * 9, "visited_on": [LAST + timedelta(days=k) for k in range(1, 10)]})
    assert describe(known.filter(pl.col("visited_on") <= LAST), LAST).equals(describe(pl.concat([known, later]), LAST))


def test_the_risk_is_calibrated_and_beats_the_rhythm_alone() -> None:
    known = world(1)
    model = fit_lapse(known, LAST)
    assert model is not None
    described = describe(known, LAST)
    risk, low, high = model.risk(described)
    came_not = stayed_away(known, described, LAST)
    assert risk.mean() == pytest.approx(came_not.mean(), abs=0.04)
    assert np.mean((risk - came_not) ** 2) < np.mean((described["usual_risk"].to_numpy() - came_not) ** 2)
    assert ((low < risk) & (risk < high) & (low >= 0) & (high <= 1)).all()


def test_the_intervals_cover_what_other_samples_of_the_same_world_say() -> None:
    asked = describe(world(99, 200), LAST)
    models = [fit_lapse(world(seed, 300), LAST) for seed in range(12)]
    told = [model.risk(asked) for model in models if model]
    middle = np.mean([risk for risk, _, _ in told], axis=0)
    covered = [np.mean((low <= middle) & (middle <= high)) for _, low, high in told]
    assert np.mean(covered) > 0.85


def test_a_short_past_teaches_nothing() -> None:
    assert fit_lapse(visits(ann=[40, 20, 10]), LAST) is None
    assert fit_lapse(visits(), LAST) is None


def test_visits_are_days_of_known_customers() -> None:
    baskets = pl.DataFrame({"customer_id": ["a", "a", None], "basket_on": [LAST] * 3})
    assert visit_days(baskets).rows() == [("a", LAST)]
    assert WINDOW_DAYS == 28
