"""A bot and a giant basket change nothing that others see; an ordinary shop is left as it is."""

from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import ml.influence
from benchmarks.simulated import as_features, simulated_shop
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.candidates import CandidateParams, propose
from ml.evaluation.metrics import brier, by_customer
from ml.influence import counted, influence, summary
from ml.optimizer.limits import Limits
from ml.optimizer.solve import solve_slate
from ml.policies.named import OURS, POLICIES
from ml.policies.shelf import Shelf
from ml.preference.baselines import PersonalDecayed
from ml.preference.load import kind_of
from ml.preference.ranker import Ranker
from ml.settings import PreferenceSettings, Settings
from ml.sources.simulated_shop import FIRST_AS_OF, Size
from ml.training import Shop, examples, fitted_ranker

NARROW = CandidateParams(popular=15, co_purchased=5, categories=1, per_category=3, new=0)
THOUSANDS = 5000
PLANTED = ("thousands", "giant")


def of(**baskets: int) -> pl.DataFrame:
    """Return so many baskets of each customer."""
    names = [name for name, number in baskets.items() for _ in range(number)]
    return pl.DataFrame({"customer_id": names, "product_ids": [["a", "b"]] * len(names)})


def test_nobody_is_bounded_below_the_floor() -> None:
    assert influence(of(ann=1, bob=1, cy=1, dan=100)).is_empty()
    assert influence(of()).is_empty()


def test_beyond_the_fence_fewer_baskets_count_the_further_out() -> None:
    """Quartiles of 1, 1, 1, 200, 1000 baskets are 1 and 200: the fence of logs lies far above; of ten ones at 100."""
    ones = {f"c{number}": 1 for number in range(10)}
    found = influence(of(**ones, reseller=200, bot=1000))
    assert found.rows() == [("bot", 1000, 10, 0.01), ("reseller", 200, 50, 0.25)]


def test_where_many_buy_often_buying_often_is_ordinary() -> None:
    """Quartiles 100 and 200: the fence is 200 x 2^1.5 = 566."""
    often = {f"c{number}": 100 if number < 5 else 200 for number in range(10)}
    assert influence(of(**often, top=560)).is_empty()
    assert influence(of(**often, top=640))["counted_baskets"].to_list() == [500]


def test_what_counts_of_a_customer_is_spread_over_their_baskets_and_others_keep_theirs() -> None:
    baskets = of(**{f"c{number}": 1 for number in range(10)}, bot=1000).with_row_index("place")
    guests = baskets.head(3).with_columns(customer_id=pl.lit(None, pl.String))
    kept = counted(pl.concat([guests, baskets]))
    assert kept.columns == baskets.columns
    assert kept.filter(pl.col("customer_id").is_null()).height == 3
    assert kept.filter(pl.col("customer_id") != "bot").height == 10
    assert np.diff(kept.filter(pl.col("customer_id") == "bot")["place"].to_numpy()).tolist() == [100] * 9


def test_weights_are_summed_up_for_the_log() -> None:
    ones = {f"c{number}": 1 for number in range(10)}
    assert summary(of(**ones)) == {"bounded_customers": 0, "smallest_customer_weight": 1, "uncounted_line_share": 0}
    found = summary(of(**ones, bot=1000))
    assert found == {
        "bounded_customers": 1,
        "smallest_customer_weight": 0.01,
        "uncounted_line_share": pytest.approx(990 / 1010),
    }


@cache
def shop() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return baskets and products of a simulated shop, large enough for a giant basket."""
    baskets, products, _ = simulated_shop(Size(customers=250, products=560, days=100), 5)
    return baskets, products


def with_bot(baskets: pl.DataFrame, pair: list[str], number: int) -> pl.DataFrame:
    """Return the baskets with so many of one pair, all of one customer, spread over all days."""
    days = baskets["basket_on"].unique().sort()
    theirs = pl.DataFrame({"customer_id": ["bot"] * number, "basket_on": days.gather(np.arange(number) % len(days))})
    theirs = theirs.with_columns(
        product_ids=pl.lit(pair), quantities=pl.lit([1, 1]), paid_cents=pl.lit([100, 100])
    ).sort("basket_on")
    return as_features(pl.concat([baskets.select(theirs.columns), theirs]))


def with_giant(baskets: pl.DataFrame, products: list[str]) -> pl.DataFrame:
    """Return the baskets with one of all products, of a customer of their own, on the last day but one."""
    one = (
        baskets.head(1)
        .select("customer_id", "basket_on", "product_ids", "quantities", "paid_cents")
        .with_columns(
            customer_id=pl.lit("hoarder"),
            basket_on=pl.lit(FIRST_AS_OF - timedelta(days=1)),
            product_ids=pl.lit(products),
            quantities=pl.lit([1] * len(products)),
            paid_cents=pl.lit([100] * len(products)),
        )
    )
    return as_features(pl.concat([baskets.select(one.columns), one]))


@cache
def odd_pair() -> tuple[str, str]:
    """Return two products sold often that no basket holds together."""
    baskets, _ = shop()
    index = index_baskets(baskets)
    often = np.argsort(-index.product_baskets(), kind="stable")[:80]
    held = np.zeros((index.baskets_total, len(index.product_ids)), np.int32)
    held[np.repeat(np.arange(index.baskets_total), np.diff(index.starts)), index.items] = 1
    together = held[:, often].T @ held[:, often]
    one, other = np.argwhere(together == 0)[0]
    return tuple(sorted((index.product_ids[often[one]], index.product_ids[often[other]])))  # type: ignore[return-value]


def associations(baskets: pl.DataFrame) -> pl.DataFrame:
    return fit_cooccurrence(index_baskets(baskets), CooccurrenceParams()).frame()


def candidates(baskets: pl.DataFrame) -> pl.DataFrame:
    people = shop()[0]["customer_id"].unique().sort()
    requests = pl.DataFrame({"customer_id": people, "cut": FIRST_AS_OF + timedelta(days=1)})
    return propose(baskets, shop()[1], requests, NARROW)


def bundles(baskets: pl.DataFrame) -> dict[str, list[tuple[str, ...]]]:
    """Return the bundles of each customer: from candidates and associations as a run makes them."""
    found, shelf = candidates(baskets), Shelf.of(shop()[1], associations(baskets))
    found = found.with_columns(
        preference=pl.Series(PersonalDecayed().fit(baskets, shop()[1], found).score(baskets, shop()[1], found))
    )
    chosen = {}
    for (customer,), own in found.group_by("customer_id", maintain_order=True):
        codes = shelf.codes(own["product_id"])
        problem = shelf.problem(POLICIES[OURS], codes, own["preference"].to_numpy(), Limits())
        chosen[str(customer)] = [
            tuple(sorted(own["product_id"].gather(list(one.items)))) for one in solve_slate(problem, bundles=2)
        ]
    return chosen


def seen_by_others(baskets: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, list[tuple[str, ...]]]]:
    same = ["customer_id", "product_id", "sources"]
    return associations(baskets), candidates(baskets).select(same), bundles(baskets)


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml.influence, "FLOOR_BASKETS", 10**9)
    monkeypatch.setattr("ml.association.cooccurrence.MOST_OF_ONE", 10**9)


def planted(kind: str) -> pl.DataFrame:
    baskets, products = shop()
    if kind == "giant":
        return with_giant(baskets, products["product_id"].sort().to_list())
    return with_bot(baskets, list(odd_pair()), THOUSANDS if kind == "thousands" else 100)


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_baskets_change_no_association_or_bundle_and_hardly_a_candidate(kind: str) -> None:
    (pairs, offered, chosen), (others, theirs, own) = seen_by_others(shop()[0]), seen_by_others(planted(kind))
    assert pairs.height > 100 and sum(bool(one) for slate in chosen.values() for one in slate) > 200
    assert_frame_equal(pairs, others)
    changed = offered.join(theirs, on=offered.columns, how="anti").height
    assert changed + abs(offered.height - theirs.height) <= offered.height / 1000, "two baskets may break a tie"
    assert chosen == own


def test_who_buys_a_pair_every_day_changes_no_association() -> None:
    """One basket a day is no count that stands out, yet it is more of this pair than all others have together."""
    assert_frame_equal(associations(shop()[0]), associations(planted("daily")))


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("kind", ["thousands", "daily", "giant"])
def test_without_the_guard_they_would(kind: str) -> None:
    (pairs, offered, _), baskets = seen_by_others(shop()[0]), planted(kind).with_columns(is_giant=pl.lit(False))
    others, theirs, _ = seen_by_others(baskets)
    if kind == "giant":
        assert not others.equals(pairs)
        return
    strongest = others.top_k(others.height // 10, by="association").select("product_a", "product_b").rows()
    assert odd_pair() in strongest and odd_pair() not in pairs.select("product_a", "product_b").rows()
    assert not theirs.equals(offered)


def test_a_bot_and_a_giant_basket_are_no_examples() -> None:
    settings = Settings(preference=PreferenceSettings(min_customer_baskets=4))
    wanted = ["customer_id", "cut", "product_id", "is_bought", "is_validation"]
    baskets, products = shop()
    plain = examples(Shop(baskets, products), FIRST_AS_OF, settings).select(wanted)
    with_one, with_other = (examples(Shop(planted(kind), products), FIRST_AS_OF, settings) for kind in PLANTED)
    assert "bot" not in set(with_one["customer_id"]) and "hoarder" not in set(with_other["customer_id"])
    assert_frame_equal(with_other.select(wanted), plain)
    assert plain.join(with_one, on=wanted, how="anti").height < plain.height / 500, "some candidates of other people"


@cache
def ranker() -> Ranker:
    settings = Settings(preference=PreferenceSettings(min_customer_baskets=4, trees=30, learning_rate=0.2))
    return fitted_ranker(Shop(*shop()), FIRST_AS_OF, settings, seed=1)[0]


def preferences(name: str, baskets: pl.DataFrame) -> np.ndarray:
    """Return P of the candidates of the shop without planted baskets, in the shop with them."""
    asked, products = candidates(shop()[0]), shop()[1]
    model = ranker() if name == Ranker.kind else kind_of(name)().fit(baskets, products, asked)
    return model.score(baskets, products, asked)


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("name", ["ranker", "global_popularity", "personal_decayed", "tifu_knn", "item_cosine"])
def test_planted_baskets_hardly_change_what_others_are_thought_to_want(name: str, kind: str) -> None:
    plain, theirs = preferences(name, shop()[0]), preferences(name, planted(kind))
    assert plain.std() > 0.01
    if kind == "giant":
        assert np.array_equal(plain, theirs)
    # The bot's two counted baskets may put a product into another bin of a tree.
    assert np.abs(plain - theirs).mean() < 2e-4


def test_a_bot_moves_no_metric_of_the_others_by_a_hundredth() -> None:
    """One ranker learns in the world with the bot, one without; both are asked about the others' next days.

    The trees see all rows and features: what they draw by chance moves the metrics of a small shop by more than a bot.
    """
    calm = PreferenceSettings(min_customer_baskets=4, trees=30, learning_rate=0.1, row_share=1, feature_share=1)
    before, settings = FIRST_AS_OF - timedelta(days=14), Settings(preference=calm)
    asked = candidates(shop()[0]).with_columns(cut=pl.lit(before + timedelta(days=1)))
    later = shop()[0].filter(pl.col("basket_on") > before).explode("product_ids")
    bought = later.select("customer_id", product_id="product_ids", is_bought=pl.lit(True)).unique()
    labelled = asked.join(bought, on=["customer_id", "product_id"], how="left", maintain_order="left")
    labelled = labelled.with_columns(pl.col("is_bought").fill_null(False))
    found = []
    for baskets in (shop()[0], planted("thousands")):
        known = Shop(baskets.filter(pl.col("basket_on") <= before), shop()[1])
        model = fitted_ranker(known, before, settings, seed=1)[0]
        scored = labelled.with_columns(preference=pl.Series(model.score(known.baskets, known.products, asked)))
        recall = by_customer(scored, later.group_by("customer_id").agg(products=pl.len()))["recall_20"].mean()
        found.append([recall, brier(scored["preference"].to_numpy(), scored["is_bought"].to_numpy())])
    assert found[0][0] > 0.2 and found[1] != found[0]
    assert found[1] == pytest.approx(found[0], rel=0.01)


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("name", ["ranker", "global_popularity", "item_cosine"])
def test_without_the_guard_preferences_would_change(name: str) -> None:
    baskets = planted("thousands").with_columns(is_giant=pl.lit(False))
    assert np.abs(preferences(name, shop()[0]) - preferences(name, baskets)).mean() > 1e-3


def test_a_script_makes_no_product_known() -> None:
    baskets, products = shop()
    seldom = list(odd_pair())
    kept = baskets.filter(~pl.col("product_ids").list.eval(pl.element().is_in(seldom)).list.any())
    for kind in PLANTED:
        sold = with_bot(kept, seldom, THOUSANDS) if kind == "thousands" else with_giant(kept, seldom * 300)
        known = Shop.of(sold, products.with_columns(is_bundleable=pl.lit(True)), 20)
        assert not set(seldom) & set(known.products["product_id"]), kind


def test_no_customer_gives_more_examples_than_there_are_cuts() -> None:
    _, products = shop()
    settings = Settings(preference=PreferenceSettings(min_customer_baskets=4))
    made = examples(Shop(planted("daily"), products), FIRST_AS_OF, settings)
    assert made.filter(pl.col("customer_id") == "bot")["cut"].n_unique() <= settings.preference.target_baskets
