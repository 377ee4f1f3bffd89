"""Customers of several windows count once; the reading for new products is chosen by what later baskets told."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.association.cooccurrence import CooccurrenceParams
from ml.association.rehearsal import PARTS, Scale
from ml.contest.cold import NO_SCALE, ColdWindow, chosen_reading
from ml.contest.counts import PairWindow, by_customer, pair_rivalry, pair_windows
from ml.contest.pair_plan import AGED, CHAMPION, OURS, plan_pairs, read_recipe, recipe_of
from ml.errors import DataError
from ml.evaluation.pair_metrics import PairSample
from ml.settings import PreferenceSettings, Settings
from ml.versions import Version

DAY = date(2024, 6, 30)
NOTHING = ColdWindow({}, NO_SCALE, 0)
NO_PAIRS = PairSample(*(np.empty(0, np.int64) for _ in range(4)))


def window(customers: list[str], ours: list[float], theirs: list[float]) -> PairWindow:
    metrics = {name: {"pair_auc": 0.7, "pairs": 9.0, "predicted_over_actual": 1.0} for name in (OURS, CHAMPION)}
    recalls = {OURS: np.array(ours), CHAMPION: np.array(theirs)}
    return PairWindow(DAY, metrics, tuple(customers), recalls, {}, NO_PAIRS, {OURS: {}, CHAMPION: {}}, NOTHING)


def test_a_customer_of_two_windows_counts_once_and_one_of_nobody_for_itself() -> None:
    windows = [window(["ann", "bob", "1:-1"], [0.2, 0.6, 1.0], [0, 0, 0]), window(["ann", "2:-1"], [0.4, 0.0], [0, 0])]
    assert sorted(by_customer(windows, OURS)) == pytest.approx([0.0, 0.3, 0.6, 1.0])
    found = pair_rivalry(windows, OURS, CHAMPION, "it", 200, 1)
    assert found is not None and found.recall_10.value == pytest.approx(1.9 / 4)
    assert pair_rivalry(windows, OURS, AGED, "it", 200, 1) is None


def cold(category: float, graph: float, blend: float, weight: float) -> ColdWindow:
    return ColdWindow(
        {"category": category, "graph": graph, "blend": blend}, {name: Scale(0, weight, 0) for name in PARTS}, 50
    )


@pytest.mark.parametrize(
    ("windows", "reading"),
    [
        ([cold(0.7, 0.6, 0.69, 1), cold(0.7, 0.6, 0.7, 2)], "category"),
        ([cold(0.6, 0.7, 0.69, 1), cold(0.6, 0.7, 0.7, 2)], "graph"),
        ([cold(0.6, 0.7, 0.71, 1), cold(0.7, 0.6, 0.71, 2)], "blend"),
    ],
)
def test_a_blend_serves_new_products_only_where_it_beats_its_parts(windows: list[ColdWindow], reading: str) -> None:
    chosen, scales, auc = chosen_reading([*windows, ColdWindow({}, NO_SCALE, 0)])
    assert chosen == reading and scales[reading].category == 2, "the scale is that of the newest window that told"
    assert auc["category"] == pytest.approx(np.mean([one.auc["category"] for one in windows]))
    assert chosen_reading([NOTHING]) == ("category", NO_SCALE, {})


def test_a_lift_that_holds_foretells_what_a_window_holds() -> None:
    """Whoever buys bread buys butter in four of five baskets, before as after; the rest is at random."""
    rng = np.random.default_rng(0)
    rows = []
    for customer in range(60):
        for day in np.sort(rng.choice(160, 60, replace=False)):
            bought = {f"p{n}" for n in np.flatnonzero(rng.random(12) < 0.25)}
            bought |= {"p1"} if "p0" in bought and rng.random() < 0.8 else set()
            if bought:
                rows.append((f"c{customer}:{day}", f"c{customer}", DAY - timedelta(days=int(day)), sorted(bought)))
    baskets = pl.DataFrame(rows, schema=["basket_id", "customer_id", "basket_on", "product_ids"], orient="row")
    ones = pl.col("product_ids").list.eval(pl.element().str.len_chars().cast(pl.Int64) * 0 + 1)
    baskets = baskets.with_columns(quantities=ones, paid_cents=ones, is_giant=pl.lit(False))
    products = pl.DataFrame({"product_id": [f"p{n}" for n in range(12)]}).with_columns(
        is_bundleable=pl.lit(True),
        department=pl.lit("ALL"),
        category_path=pl.format("ALL > {}", "product_id"),
        title=pl.lit(None, pl.String),
        brand=pl.lit(None, pl.String),
    )
    settings = Settings(min_product_baskets=10, preference=PreferenceSettings(gate_windows=2))
    entrants = {OURS: (CooccurrenceParams(), 0), AGED: (CooccurrenceParams(), 1)}
    windows, notes = pair_windows(baskets, products, DAY, entrants, lambda *_: {}, settings, 1)
    assert [one.origin for one in windows] == [DAY - timedelta(days=56), DAY - timedelta(days=28)] and not notes
    for one in windows:
        assert one.metrics[OURS]["predicted_over_actual"] == pytest.approx(1.0, abs=0.1)
        assert one.recalls[OURS].shape == one.recalls[AGED].shape == (len(one.customers),)
        assert set(one.customers) <= set(baskets["customer_id"])


def champion(recipe: str | None) -> Version:
    tags = {"data_cut_off": str(DAY - timedelta(days=28))} | ({} if recipe is None else {"recipe": recipe})
    return Version("association", 3, "run", tags)


def test_a_champion_of_other_params_is_met_and_can_be_refreshed() -> None:
    theirs = CooccurrenceParams(shrinkage=9.0)
    plan = plan_pairs(champion(recipe_of(theirs)), DAY, Settings())
    assert plan.entrants == {OURS: (CooccurrenceParams(), 0), CHAMPION: (theirs, 0), AGED: (theirs, 1)}
    assert plan.can_refresh_champion
    alike = plan_pairs(champion(recipe_of(CooccurrenceParams())), DAY, Settings())
    assert (alike.kind, alike.can_refresh_champion) == ("refresh", False)
    assert alike.entrants == {OURS: (CooccurrenceParams(), 0), CHAMPION: (CooccurrenceParams(), 1)}


@pytest.mark.parametrize("recipe", [None, '{"kind": "lift", "params": {"renamed": 5}}', "no json"])
def test_a_recipe_that_cannot_be_followed_is_a_reason_not_an_error(recipe: str | None) -> None:
    plan = plan_pairs(champion(recipe), DAY, Settings())
    assert (plan.kind, plan.champion, plan.can_refresh_champion) == ("challenger", None, False)
    assert "the recipe of champion 3 cannot be followed" in plan.apart


def test_params_unknown_when_a_recipe_was_written_take_their_defaults() -> None:
    assert read_recipe('{"params": {"shrinkage": 7.0}}') == CooccurrenceParams(shrinkage=7.0)
    with pytest.raises(DataError, match="does not take these parameters"):
        read_recipe('{"params": {"shrinkage": -1}}')
