"""Where candidates and models meet: a shop of known products, examples of the past, a backtest that looks back only."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from ml.errors import DataError
from ml.settings import CandidateSettings, PreferenceSettings, Settings
from ml.training import Shop, asked, examples, fitted_ranker, newcomers, scored, targets_of, with_evidence
from tests.preference.conftest import CUT, World, world  # noqa: F401 - a fixture

AS_OF = CUT - timedelta(days=1)
SETTINGS = Settings(preference=PreferenceSettings(min_customer_baskets=4, trees=20), threads=1)


@pytest.fixture
def shop(world: World) -> Shop:  # noqa: F811
    products = world.products.with_columns(
        is_bundleable=pl.col("product_id") != "p00", launched_on=pl.lit(None, pl.Date)
    )
    return Shop.of(world.baskets, products, 10)


def test_excluded_products_leave_catalogue_and_baskets(shop: Shop) -> None:
    assert "p00" not in set(shop.products["product_id"])
    assert "p00" not in set(shop.baskets["product_ids"].explode())
    lengths = shop.baskets.select(pl.col("product_ids", "quantities", "paid_cents").list.len())
    assert (lengths["product_ids"] == lengths["paid_cents"]).all() and lengths["product_ids"].min() == 1


def test_evidence_after_the_last_day_does_not_count(shop: Shop) -> None:
    first = shop.baskets["basket_on"].min()
    early = Shop.of(shop.baskets, shop.products, 3, through=first + timedelta(days=4))  # type: ignore[operator]
    assert 0 < early.products.height < shop.products.height


def test_examples_end_with_the_last_day_and_the_newest_are_for_validation(shop: Shop) -> None:
    made = examples(shop, AS_OF, SETTINGS)
    cuts = made["cut"].unique().sort()
    assert cuts.to_list() == [CUT - timedelta(days=28 * back) for back in (3, 2, 1)]
    assert made.filter("is_validation")["cut"].unique().to_list() == [cuts[-1]]
    planted = Shop(shop.baskets.filter(pl.col("basket_on") <= AS_OF), shop.products)
    assert examples(planted, AS_OF, SETTINGS).equals(made)


def test_a_ranker_knows_nothing_of_the_baskets_it_is_asked_for(shop: Shop) -> None:
    through = AS_OF - timedelta(days=28)
    targets = targets_of(shop.baskets, through + timedelta(days=1), AS_OF, 2, SETTINGS)
    assert (targets["basket_on"] > through).all() and targets["customer_id"].is_unique().all()
    ranker, _ = fitted_ranker(shop, through, SETTINGS, seed=1)
    found = scored(ranker, shop, asked(shop, targets, SETTINGS))
    assert found["is_bought"].sum() > 0 and np.isfinite(found["preference"].to_numpy()).all()
    past = Shop(shop.baskets.filter(pl.col("basket_on") <= through), shop.products)
    alone, _ = fitted_ranker(past, through, SETTINGS, seed=1)
    asked_alone = asked(past, targets, SETTINGS)
    assert scored(alone, past, asked_alone)["preference"].equals(found["preference"])


def test_too_little_data_is_said_so(shop: Shop) -> None:
    strict = Settings(preference=PreferenceSettings(min_customer_baskets=1000))
    with pytest.raises(DataError, match="not_enough_data"):
        examples(shop, AS_OF, strict)


def test_within_28_days_everybody_is_asked_and_all_that_is_bought_is_the_answer(shop: Shop) -> None:
    wider = SETTINGS.model_copy(
        update={"preference": SETTINGS.preference.model_copy(update={"horizon": "next_28_days"})}
    )
    # ann came before the newest cut and never again: the next basket is not asked of her, 28 days are.
    cut, keys = CUT - timedelta(days=28), ["customer_id", "cut", "product_id"]
    gone = shop.baskets["customer_id"].drop_nulls().unique().sort()[0]
    left = Shop(
        shop.baskets.filter(pl.col("customer_id").ne_missing(gone) | (pl.col("basket_on") < cut)), shop.products
    )
    one, all_of_it = examples(left, AS_OF, SETTINGS), examples(left, AS_OF, wider)
    assert one.filter(pl.col("cut") == cut, pl.col("customer_id") == gone).is_empty()
    lapsed = all_of_it.filter(pl.col("cut") == cut, pl.col("customer_id") == gone)
    assert lapsed.height and not lapsed["is_bought"].any()
    both = one.join(all_of_it, on=keys, suffix="_within")
    assert both.height == one.height and (both["is_bought"] <= both["is_bought_within"]).all()
    row = both.filter(pl.col("is_bought_within") & ~pl.col("is_bought")).row(0, named=True)
    bought = left.baskets.filter(
        pl.col("customer_id") == row["customer_id"],
        pl.col("basket_on").is_between(row["cut"], row["cut"] + timedelta(days=27)),
    )
    assert row["product_id"] in set(bought["product_ids"].explode())
    ranker, _ = fitted_ranker(left, AS_OF - timedelta(days=28), wider, seed=1)
    assert ranker.params.horizon == "next_28_days"


def test_a_horizon_longer_than_the_hold_out_is_refused() -> None:
    with pytest.raises(ValidationError, match="holdout_days"):
        PreferenceSettings(horizon="next_28_days", holdout_days=27)


def launched(days_ago: list[int | None], sold: list[int], first_sold: list[int | None]) -> pl.DataFrame:
    """Return products p0, p1 ... of a launch, baskets and a first sale."""
    day = {"launched_on": days_ago, "first_sold_on": first_sold}
    dates = {name: [None if ago is None else AS_OF - timedelta(days=ago) for ago in own] for name, own in day.items()}
    names = [f"p{number}" for number in range(len(sold))]
    return pl.DataFrame({"product_id": names, "baskets": sold, "is_bundleable": [True] * len(sold), **dates})


def test_what_was_launched_or_first_sold_of_late_is_offered_without_evidence() -> None:
    products = launched([0, 27, 28, None, None, None], [0, 3, 40, 5, 5, 0], [None, 9, 9, 3, 90, None])
    assert newcomers(products, AS_OF, Settings()).to_list() == ["p3", "p1", "p0"]
    assert with_evidence(products, AS_OF, Settings())["product_id"].to_list() == ["p0", "p1", "p3"]
    hidden = products.with_columns(is_bundleable=pl.col("product_id") != "p3")
    assert newcomers(hidden, AS_OF, Settings()).to_list() == ["p1", "p0"]


def test_no_more_new_products_are_offered_than_settings_allow() -> None:
    products = launched([1] * 6, [0, 1, 2, 3, 4, 60], [None] * 6)
    few = Settings(candidates=CandidateSettings(new=2))
    assert newcomers(products, AS_OF, few).to_list() == ["p4", "p3"]
    assert with_evidence(products, AS_OF, few)["product_id"].to_list() == ["p3", "p4", "p5"]


def test_a_new_product_stays_in_catalogue_and_baskets_without_evidence(world: World) -> None:  # noqa: F811
    counts = world.baskets["product_ids"].explode().value_counts()
    rare = counts.filter(pl.col("count") == counts["count"].min())["product_ids"].to_list()[0]
    least = int(counts["count"].min()) + 1  # type: ignore[call-overload]
    products = world.products.with_columns(is_bundleable=pl.lit(True))
    assert rare not in set(Shop.of(world.baskets, products, least).products["product_id"])
    shop = Shop.of(world.baskets, products, least, new=pl.Series([rare]))
    assert rare in set(shop.products["product_id"]) and rare in set(shop.baskets["product_ids"].explode())
