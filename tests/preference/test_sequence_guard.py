"""A bot, a giant basket and a scraper teach a sequence model nothing, and are scored like all others."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

from ml.preference.sequence import Gru
from tests.preference.conftest import CUT, FIRST, World, basket, everything
from tests.preference.test_sequence import QUICK, events_of

PARAMS = replace(QUICK, epochs=1)
CUSTOMERS = [f"c{k:02d}" for k in range(40)]


def scores(
    world: World, baskets: pl.DataFrame, events: pl.DataFrame | None = None, is_refit: bool = False
) -> np.ndarray:
    """Return what the customers of the world are told after learning from these baskets."""
    model = Gru(PARAMS, events).fit(baskets, world.products, world.examples)
    if is_refit:
        model.refit(baskets, world.products, world.examples)
    asked = everything(CUSTOMERS, world.products["product_id"].to_list(), CUT)
    return model.score(world.baskets, world.products, asked)


@pytest.mark.parametrize("is_refit", [False, True])
def test_a_bot_and_a_giant_basket_change_no_other_score(world: World, is_refit: bool) -> None:
    bot = [basket("bot", FIRST + timedelta(days=k // 4), ["p00"]) | {"basket_id": f"bot {k}"} for k in range(600)]
    whole = world.products["product_id"].to_list()
    giant = [basket(name, FIRST + timedelta(days=3), whole) | {"is_giant": True} for name in ("c00", "reseller", None)]
    planted = pl.concat([world.baskets, pl.DataFrame([*bot, *giant])])
    before, after = (scores(world, baskets, is_refit=is_refit) for baskets in (world.baskets, planted))
    assert np.array_equal(before, after)


def test_a_customer_of_thousands_of_views_changes_no_other_score(world: World) -> None:
    events = events_of(world)
    visits = pl.DataFrame([basket("scraper", FIRST + timedelta(days=k), ["p00"]) for k in range(0, 150, 10)])
    days = [FIRST + timedelta(days=k // 20) for k in range(3000)]
    kinds = ["view" if k % 2 else "cart" for k in range(3000)]
    seen = pl.DataFrame({"customer_id": "scraper", "product_id": "p01", "occurred_on": days, "event_type": kinds})
    scraped = seen.with_row_index("n").with_columns(
        occurred_at=pl.col("occurred_on").cast(pl.Datetime("us")) + pl.duration(minutes=pl.col("n") % 20)
    )
    instants = events.with_columns(occurred_at=pl.col("occurred_on").cast(pl.Datetime("us")))
    planted = pl.concat([instants, scraped.select(instants.columns)])
    without = scores(world, pl.concat([world.baskets, visits]).filter(pl.col("customer_id") != "scraper"), instants)
    assert np.array_equal(scores(world, pl.concat([world.baskets, visits]), planted), without)


def test_the_last_weeks_are_learnt_in_the_refit(world: World) -> None:
    """What became popular after each customer's first basket past the newest cut is popular in the model."""
    newest = world.examples["cut"].max()
    later = world.baskets.filter(pl.col("basket_on") >= newest)
    seconds = later.filter(pl.col("basket_on") > pl.col("basket_on").min().over("customer_id"))
    fashion = seconds.with_columns(product_ids=pl.lit(["p19"]), quantities=pl.lit([1]), paid_cents=pl.lit([100]))
    baskets = pl.concat(
        [world.baskets.join(seconds, on="basket_id", how="anti"), fashion.select(world.baskets.columns)]
    )
    model = Gru(PARAMS).fit(baskets, world.products, world.examples)
    asked = everything(["nobody"], ["p19"], CUT)
    before = model.score(baskets, world.products, asked)[0]
    assert model.refit(baskets, world.products, world.examples).score(baskets, world.products, asked)[0] > 1.2 * before
