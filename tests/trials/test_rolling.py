"""Rolling trees: signals of a morning worked by hand, habits learned, and nothing of the day asked about looked at."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.errors import DataError
from ml.evaluation.splits import last_baskets
from ml.trials import rolling
from ml.trials.rolling import RollingTrees
from ml.trials.signals import COLUMNS, Signals

FIRST = date(2020, 1, 1)
CUSTOMERS = 40


def frames(bought: list[tuple[str | None, int, str]], names: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return baskets given as customer, day and the products' letters, and the catalogue."""
    rows = [(who, FIRST + timedelta(days=day), sorted(set(held))) for who, day, held in bought]
    schema = {"customer_id": pl.String, "basket_on": pl.Date, "product_ids": pl.List(pl.String)}
    baskets = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("n")
    baskets = baskets.with_columns(basket_id=pl.format("b{}", "n"), is_giant=pl.lit(False)).drop("n")
    return baskets, pl.DataFrame({"product_id": list(names), "category_path": ["X"] * (len(names) - 1) + [None]})


def test_the_signals_of_a_morning_are_worked_by_hand() -> None:
    baskets, products = frames(
        [("u", 0, "ab"), ("u", 10, "a"), ("v", 9, "ac"), (None, 9, "ab"), ("u", 20, "d")], "abcde"
    )
    ((codes, columns),) = Signals(baskets, products).at(FIRST + timedelta(days=20)).of(["u"])
    at = {name: columns[:, COLUMNS.index(name)] for name in COLUMNS}
    assert codes.tolist() == [0, 1, 2], "nobody had bought d and e"
    assert at["share"] == pytest.approx([1, 1 / 2, 0])
    assert at["share_20_days"][1] == pytest.approx(np.exp(-1) / (np.exp(-1) + np.exp(-0.5)))
    assert at["share_0.6_baskets"][1] == pytest.approx(0.6 / 1.6)
    assert at["in_last"].tolist() == [1, 0, 0]
    assert at["popularity"] == pytest.approx(np.log(np.array([4.1, 2.1, 1.1]) / 5))
    assert at["days_since_bought"][:2] == pytest.approx(np.log1p([10, 20]))
    # c met a in one of four baskets: 1 / sqrt(4 * 1); b, which u holds in half, never.
    assert at["cosine"][2] == pytest.approx(np.log1p(10 * 0.5))
    # v is the only other customer.
    assert at["neighbours"] == pytest.approx(np.log1p(100 * np.array([1, 0, 1])))
    assert at["category_share"].tolist() == [1.5, 1.5, 1.5]
    assert at["customer_baskets"][0] == pytest.approx(np.log1p(2))


def habits(weeks: int = 30) -> list[tuple[str | None, int, str]]:
    """Return customers who buy their own product every other week, and the product of the week besides."""
    names = "abcdefghijklmnopqrst"
    return [
        (f"c{k}", 7 * week + k % 5, (names[k % 12] if week % 2 else "") + names[12 + week % 8])
        for week in range(weeks) for k in range(CUSTOMERS)
    ]  # fmt: skip


def test_a_habit_is_learned_and_the_whole_catalogue_ranked() -> None:
    baskets, products = frames(habits(), "abcdefghijklmnopqrst")
    targets = last_baskets(baskets, None)
    found = RollingTrees(baskets, products).ranking(targets, 0, 100)
    assert found.group_by("customer_id").len()["len"].unique().to_list() == [20]
    own = {f"c{k}": "abcdefghijkl"[k % 12] for k in range(CUSTOMERS)}
    top = found.filter(pl.col("place") <= 3).group_by("customer_id").agg("product_id")
    assert np.mean([own[who] in held for who, held in top.iter_rows()]) > 0.8
    assert found.equals(RollingTrees(baskets, products).ranking(targets, 0, 100))


def test_what_is_bought_from_the_day_on_changes_no_ranking() -> None:
    day = FIRST + timedelta(days=7 * 25)
    requests = pl.DataFrame({"customer_id": ["c1", "new"], "cut": [day, day]})
    rankings = []
    for later in (habits()[CUSTOMERS * 25 :], [("c1", 7 * 25, "t"), ("new", 7 * 25, "s")]):
        baskets, products = frames([*habits(25), *later], "abcdefghijklmnopqrst")
        rankings.append(RollingTrees(baskets, products).ranking(requests, 0, 10))
    assert rankings[0].equals(rankings[1])


def test_early_questions_are_answered_without_trees_and_too_small_a_shop_is_told() -> None:
    baskets, products = frames(habits(), "abcdefghijklmnopqrst")
    early = pl.DataFrame(
        {"customer_id": ["c1", "c1"], "cut": [FIRST + timedelta(days=30), FIRST + timedelta(days=200)]}
    )
    found = RollingTrees(baskets, products).ranking(early, 0, 20)
    assert found.group_by("cut").len().sort("cut")["len"].to_list() == [20, 20]
    few, products = frames(habits(3), "abcdefghijklmnopqrst")
    with pytest.raises(DataError, match="rolling_trees needs 100 baskets"):
        RollingTrees(few, products).ranking(last_baskets(few, None), 0, 20)


def test_a_product_nobody_bought_comes_last() -> None:
    baskets, products = frames(habits(), "abcdefghijklmnopqrst~")
    found = RollingTrees(baskets, products).ranking(last_baskets(baskets, None), 0, 21)
    assert rolling.KIND == "rolling_trees" and set(found.filter(place=21)["product_id"]) == {"~"}


def with_noise(baskets: pl.DataFrame, baskets_of_bot: int) -> pl.DataFrame:
    """Return the baskets, a bot's that hold one product from the second week on, and a giant one of a newcomer."""
    day = pl.col("n") * 7 * 28 // baskets_of_bot + 14
    bot = pl.DataFrame({"n": range(baskets_of_bot)}).select(
        customer_id=pl.lit("bot"),
        basket_on=pl.lit(FIRST) + pl.duration(days=day),
        product_ids=pl.lit(["t"], pl.List(pl.String)),
        basket_id=pl.format("z{}", "n"),
        is_giant=pl.lit(False),
    )
    giant = bot.head(1).with_columns(
        customer_id=pl.lit("giant"),
        product_ids=pl.lit(list("abcdefghijkl"), pl.List(pl.String)),
        basket_id=pl.lit("giant"),
        is_giant=pl.lit(True),
    )
    return pl.concat([baskets, bot, giant])


def test_a_bot_and_a_giant_basket_change_no_signal_of_others() -> None:
    baskets, products = frames(habits(), "abcdefghijklmnopqrst")
    day = FIRST + timedelta(days=200)
    ((codes, alone),) = Signals(baskets, products).at(day).of(["c3"])
    ((same, beside),) = Signals(with_noise(baskets, 400), products).at(day).of(["c3"])
    assert codes.tolist() == same.tolist() and np.array_equal(alone, beside)


def test_a_bot_and_a_giant_basket_change_no_ranking_of_others() -> None:
    baskets, products = frames(habits(), "abcdefghijklmnopqrst")
    targets = last_baskets(baskets, None)
    alone = RollingTrees(baskets, products).ranking(targets, 0, 20)
    assert RollingTrees(with_noise(baskets, 400), products).ranking(targets, 0, 20).equals(alone)


def test_nobody_known_before_the_morning_has_only_what_all_buy() -> None:
    baskets, products = frames([(None, 0, "ab"), (None, 1, "a")], "abc")
    ((codes, columns),) = Signals(baskets, products).at(FIRST + timedelta(days=2)).of(["u"])
    assert codes.tolist() == [0, 1] and not columns[:, COLUMNS.index("neighbours")].any()
