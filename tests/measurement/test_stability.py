"""Drift of a shop's days: the right periods, planted changes, and periods too short to judge."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.evaluation.drift import DriftParams
from ml.measurement.stability import Span, feature_rows, freshness_rows, score_row, spans
from ml.tables import DRIFT_CHECKS

AS_OF = date(2024, 6, 30)
PARAMS = DriftParams()


def shop(factor: float, days: int = 120) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return baskets and product days; in the last 28 days everything costs ``factor`` as much."""
    rng = np.random.default_rng(0)
    rows, sold = [], []
    for ago in range(days):
        on, dearer = AS_OF - timedelta(days=ago), factor if ago < 28 else 1.0
        for number in rng.choice(60, 15, replace=False):
            cents = [int(cents * dearer) for cents in rng.integers(100, 900, rng.integers(1, 5))]
            rows.append((f"c{number}", on, cents, len(cents), False))
        sold += [(f"p{n}", on, int((100 + 20 * n) * dearer), 900, 100 * (n % 2)) for n in range(12)]
    baskets = pl.DataFrame(
        rows, schema=["customer_id", "basket_on", "paid_cents", "basket_products", "is_giant"], orient="row"
    )
    columns = ["product_id", "sold_on", "price_cents", "revenue_cents", "discount_cents"]
    return baskets, pl.DataFrame(sold, schema=columns, orient="row")


def verdicts(cut_off: date, factor: float, days: int = 120) -> dict[str, str]:
    then, now = spans(cut_off, AS_OF, 28)
    rows = list(feature_rows(*shop(factor, days), then, now, PARAMS))
    DRIFT_CHECKS.conform(DRIFT_CHECKS.frame(rows).with_columns(run_id=1))
    return {str(row["subject"]): str(row["verdict"]) for row in rows}


def test_periods_do_not_overlap() -> None:
    then, now = spans(date(2024, 6, 20), AS_OF, 28)
    assert then == Span(date(2024, 5, 24), date(2024, 6, 20)) and then.days == 28
    assert now == Span(date(2024, 6, 21), AS_OF)
    _, now = spans(date(2024, 4, 1), AS_OF, 28)
    assert now.days == 28


def test_a_shop_that_stays_is_steady_and_a_dearer_one_drifts() -> None:
    assert set(verdicts(date(2024, 6, 2), 1.0).values()) == {"steady"}
    dearer = verdicts(date(2024, 6, 2), 2.0)
    assert {name for name, verdict in dearer.items() if verdict == "drifted"} == {"basket_cents", "sold_price_cents"}


def test_a_few_days_or_a_short_history_are_not_judged() -> None:
    assert set(verdicts(AS_OF - timedelta(days=6), 2.0).values()) == {"not_judged"}
    assert set(verdicts(AS_OF, 2.0).values()) == {"not_judged"}
    assert set(verdicts(date(2024, 6, 2), 2.0, days=70).values()) == {"not_judged"}


def test_scores_of_two_runs() -> None:
    rng = np.random.default_rng(1)
    day = Span(AS_OF, AS_OF)
    before, same, other = (pl.Series(rng.beta(1, shape, 5000)) for shape in (20, 20, 5))
    assert score_row(before, same, day, day, PARAMS, 0)["verdict"] == "steady"
    found = score_row(before, other, day, day, PARAMS, 0)
    assert found["verdict"] == "drifted" and str(found["reason"]).startswith("preference psi")
    assert score_row(before.clear(), same, day, day, PARAMS, 0)["verdict"] == "not_judged"


def test_tables_have_an_age() -> None:
    days = {"baskets": pl.Series([AS_OF]), "feedback": pl.Series([], dtype=pl.Date)}
    rows = list(freshness_rows(days, AS_OF + timedelta(days=4), PARAMS))
    assert [(row["subject"], row["value"], row["verdict"]) for row in rows] == [
        ("baskets", 4.0, "drifted"),
        ("feedback", None, "not_judged"),
    ]
