"""How bundles were taken, worked out by hand, and what the ranker makes of it; what comes later changes nothing."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.errors import ColumnError
from ml.preference.contract import Observer, tell
from ml.preference.features import FEATURES
from ml.preference.ranker import Ranker, RankerParams
from ml.preference.reactions import PRIOR_IMPRESSIONS, REACTION_FEATURES, WINDOW_DAYS, with_reactions
from ml.tables import BUNDLE_REACTIONS
from tests.preference.conftest import CUT, World, everything

SMALL = RankerParams(trees=20, min_leaf_rows=5)


def reactions(*days: tuple[str, str, int, int, int]) -> pl.DataFrame:
    """Return rows of ``features.ftr_bundle_reactions``: customer, product, days after the cut, impressions, clicks."""
    frame = pl.DataFrame(
        [(who, what, CUT + timedelta(days=at), shown, clicked) for who, what, at, shown, clicked in days],
        schema={"customer_id": pl.String, "product_id": pl.String, "on": pl.Date, "n": pl.Int64, "c": pl.Int64},
        orient="row",
    )
    return (
        frame.sort("on")
        .group_by("customer_id", "product_id", maintain_order=True)
        .agg(reacted_on="on", day_impressions="n", day_clicks="c")
        .with_columns(as_of=pl.lit(CUT))
        .select(list(BUNDLE_REACTIONS.columns))
    )


def of(told: pl.DataFrame, cut: date = CUT) -> dict[tuple[str, str], dict[str, float]]:
    asked = with_reactions(everything(["ann", "bob"], ["jam", "tea"], cut), told)
    return {
        (row["customer_id"], row["product_id"]): {name: row[name] for name in REACTION_FEATURES}
        for row in asked.iter_rows(named=True)
    }


def test_reactions_of_everybody_and_of_the_customer() -> None:
    found = of(reactions(("ann", "tea", -9, 4, 1), ("ann", "tea", -2, 2, 0), ("bob", "tea", -1, 4, 2)))
    rate = (3 + PRIOR_IMPRESSIONS * 0.3) / (10 + PRIOR_IMPRESSIONS)
    assert list(found["ann", "tea"].values()) == pytest.approx([10, rate, 6, 1, 9])
    assert list(found["bob", "tea"].values()) == pytest.approx([10, rate, 4, 2, 1])
    shown, drawn, *own = found["bob", "jam"].values()
    assert (shown, drawn, own) == (0, pytest.approx(0.3), [0, 0, None])


def test_what_happens_on_the_day_or_later_or_long_ago_is_not_looked_at() -> None:
    known = reactions(("ann", "tea", -9, 4, 1))
    more = reactions(("ann", "tea", -9, 4, 1), ("ann", "tea", 0, 9, 9), ("bob", "jam", 5, 9, 9))
    assert of(more) == of(known)
    assert of(reactions(("ann", "tea", -9, 4, 1), ("ann", "tea", -WINDOW_DAYS - 1, 9, 9))) == of(known)


def test_before_the_first_reaction_nothing_is_known() -> None:
    assert set(of(reactions(("ann", "tea", 0, 4, 1)))["ann", "tea"].values()) == {None}
    assert set(of(reactions())["ann", "tea"].values()) == {None}
    none = with_reactions(everything(["ann"], ["tea"], CUT).clear(), reactions())
    assert none.is_empty() and set(REACTION_FEATURES) <= set(none.columns)


def test_rows_keep_their_order_over_several_cuts() -> None:
    asked = pl.concat([everything(["bob", "ann"], ["tea", "jam"], CUT - timedelta(days=day)) for day in (0, 7, 3)])
    assert with_reactions(asked, reactions(("ann", "tea", -5, 1, 1))).select(asked.columns).equals(asked)


def clicked(world: World) -> pl.DataFrame:
    """Return reactions that give away what will be bought: who buys a product clicked on it a day before the cut."""
    asked = world.examples.with_columns(at=(pl.col("cut") - pl.lit(CUT)).dt.total_days() - 1)
    rows = asked.select("customer_id", "product_id", "at", "is_bought").unique().iter_rows()
    return reactions(*((who, what, at, 1, int(is_bought)) for who, what, at, is_bought in rows))


def test_the_ranker_learns_from_reactions_and_keeps_them_beside_it(world: World, tmp_path: Path) -> None:
    told = clicked(world)
    model = tell(Ranker(SMALL), None, told)
    assert isinstance(model, Observer) and isinstance(model, Ranker)
    model.fit(world.baskets, world.products, world.examples)
    _, contributions = model.contributions(world.baskets, world.products, world.examples)
    assert contributions.shape[1] == len(model.names) > len(FEATURES), "each has its name in the pictures"
    plain = Ranker(SMALL).fit(world.baskets, world.products, world.examples)
    share = model.importance()
    assert sum(share[name] for name in ("bundle_clicks", "bundle_days_since_click")) > 0.2
    assert not set(REACTION_FEATURES) & set(plain.importance())
    model.save(tmp_path)
    again = Ranker.load(tmp_path)
    with pytest.raises(ColumnError, match="bundle_clicks"):
        again.score(world.baskets, world.products, world.examples)
    scores = tell(again, None, told).score(world.baskets, world.products, world.examples)
    assert np.array_equal(scores, model.score(world.baskets, world.products, world.examples))


def test_without_any_reaction_the_ranker_is_the_one_it_was(world: World) -> None:
    told = tell(Ranker(SMALL), None, reactions()).fit(world.baskets, world.products, world.examples)
    plain = Ranker(SMALL).fit(world.baskets, world.products, world.examples)
    asked = (world.baskets, world.products, world.examples)
    assert np.array_equal(told.score(*asked), plain.score(*asked))


def test_a_reaction_after_the_cut_changes_no_score(world: World) -> None:
    told = clicked(world)
    model = tell(Ranker(SMALL), None, told).fit(world.baskets, world.products, world.examples)
    before = model.score(world.baskets, world.products, world.examples)
    later = reactions(*((f"c{k:02d}", "p00", 40, 99, 99) for k in range(40)))
    tell(model, None, pl.concat([told, later]))
    assert np.array_equal(model.score(world.baskets, world.products, world.examples), before)
