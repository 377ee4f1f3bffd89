"""Why not these products: each cause is named, and only what is counted is called a count."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from ml.optimizer.limits import Limits
from ml.optimizer.solve import Search
from ml.optimizer.stock import StockParams
from ml.params import RunParams
from ml.scenarios.explained import Offer, Shown, answer
from ml.scenarios.personal import rows_of
from ml.scenarios.shared_stock import capacities, couple, shadow_prices
from ml.scenarios.slates import Desk, Slate
from ml.tables import BUNDLE_ITEMS, BUNDLES, WHY_NOT
from tests.scenarios.shop import customers, desk
from tests.scenarios.test_personal import facts

PAIRS = list(combinations(range(12), 2))


def shown(slate: Slate, desk: Desk, left: dict[str, int] | None = None) -> Shown:
    """Return what a run shows whose rows say what the slate says."""
    value = slate.problem(desk).value
    offers = [
        Offer(frozenset(slate.product_ids(items)), value(items), cause, is_kept)
        for items, cause, is_kept in zip(slate.bundles, slate.held_back_by, slate.is_kept, strict=bool(slate.bundles))
    ]
    return Shown(offers, slate.lost_to, left or {})


def one(limits: Limits, seed: int = 1, bundles: int = 2) -> tuple[Desk, Slate]:
    rng = np.random.default_rng(seed)
    shop = desk(rng, limits, bundles=bundles)
    (slate,) = customers(rng, shop, 1, candidates=12)
    return shop, slate


def test_every_pair_of_a_slate_that_nothing_held_back_is_explained_by_the_slate() -> None:
    shop, slate = one(Limits(max_size=2, cost_per_product=0.01), bundles=3)
    problem, offers = slate.problem(shop), slate.bundles
    values = {pair: problem.value(pair) for pair in PAIRS}
    verdicts = set()
    for pair in PAIRS:
        row = answer(slate, slate.product_ids(pair), shop, shown(slate, shop))
        assert not any(word in row["verdict"] for word in ("stock", "change_budget", "not_found"))
        verdicts.add(row["verdict"])
        if pair in offers:
            assert (row["verdict"], row["bundle_rank"]) == ("offered", offers.index(pair) + 1)
        elif values[pair] <= 0:
            assert row["verdict"] == "not_worth_showing"
        elif values[pair] <= values[offers[-1]]:
            better = sum(value > values[pair] for value in values.values())
            assert (row["verdict"], row["bundle_rank"]) == ("ranked_lower", better + 1)
            assert row["detail"] == f"{better} allowed bundles are worth more"
        else:
            barring = next(rank for rank, items in enumerate(offers, start=1) if set(items) & set(pair))
            assert row["verdict"] == "overlaps" and f"with bundle {barring}," in row["detail"]
    assert verdicts == {"offered", "not_worth_showing", "ranked_lower", "overlaps"}


def test_a_part_of_an_offered_bundle_is_called_one_and_more_than_one_too() -> None:
    shop, slate = one(Limits(max_size=3))
    whole = next(items for items in slate.bundles if len(items) == 3)
    rank = slate.bundles.index(whole) + 1
    row = answer(slate, slate.product_ids(whole[:2]), shop, shown(slate, shop))
    assert (row["verdict"], row["detail"]) == ("part_of_offered", f"all of them are in bundle {rank}")
    more = (*whole, next(place for place in range(12) if place not in whole))
    row = answer(slate, slate.product_ids(more), shop, shown(slate, shop))
    assert (row["verdict"], row["binding"], row["objective"]) == ("infeasible", ["size"], None)
    assert row["detail"] == f"more products than a bundle holds; they hold all of bundle {rank}"


def test_products_that_are_no_candidates_or_not_known_to_the_shop_are_named() -> None:
    rng = np.random.default_rng(2)
    shop = desk(rng, Limits())
    (slate,) = customers(rng, shop, 1, candidates=8)
    other = next(name for name in shop.shelf.product_ids if slate.positions([name]) is None)
    row = answer(slate, ["nonsense", other, slate.product_ids((0,))[0]], shop, shown(slate, shop))
    assert row["verdict"] == "not_a_candidate"
    assert row["detail"] == (
        f"no candidate of this customer: {', '.join(sorted(['nonsense', other]))}; "
        "not offered by the shop on that day: nonsense"
    )


def test_a_bundle_that_stock_took_names_the_product_that_is_gone() -> None:
    rng = np.random.default_rng(3)
    shop = desk(rng, Limits(max_size=2), available_units=[4] * 12)
    slates = customers(rng, shop, 30, candidates=12)
    capacity = capacities(shop.shelf.available_units, 0, None, np.ones(12), 60)
    coupled = couple(slates, shop, capacity, StockParams(seed=1))
    prices = shadow_prices(coupled, shop.shelf, capacity)
    left = dict(prices.select("product_id", pl.col("capacity_units") - pl.col("promised_units")).iter_rows())
    verdicts = []
    for slate, before in zip(coupled.slates, slates, strict=True):
        wanted = before.product_ids(before.bundles[0])
        row = answer(slate, wanted, shop, shown(slate, shop, left))
        value = slate.problem(shop).value
        if any(value(items) >= value(before.bundles[0]) for items in slate.bundles):
            continue
        own = [slate.product_ids(items) for items in slate.bundles]
        gone = [name for name in sorted(wanted) if left[name] + sum(name in names for names in own) == 0]
        verdicts.append(row["verdict"])
        if gone:
            assert (row["verdict"], row["detail"]) == (
                "out_of_stock",
                f"nothing is left to promise of {', '.join(gone)}",
            )
        assert row["verdict"] != "ranked_lower" and row["bundle_rank"] == 1
    assert verdicts.count("out_of_stock") > 5


def test_stock_that_is_not_there_at_all_is_told_from_other_limits() -> None:
    rng = np.random.default_rng(4)
    shop = desk(rng, Limits(max_size=2), available_units=[0] + [None] * 11)
    (slate,) = customers(rng, shop, 1, candidates=12)
    row = answer(slate, ["p00", "p01"], shop, shown(slate, shop))
    assert (row["verdict"], row["binding"]) == ("out_of_stock", ["stock"])
    assert row["detail"] == "not a unit in stock of p00"


def test_a_bundle_under_the_threshold_is_not_worth_showing() -> None:
    shop, slate = one(Limits(max_size=2, min_joint_probability=0.05))
    problem = slate.problem(shop)
    poor = next(pair for pair in PAIRS if problem.violations(pair) == ("joint_probability",))
    row = answer(slate, slate.product_ids(poor), shop, shown(slate, shop))
    assert (row["verdict"], row["binding"]) == ("not_worth_showing", ["joint_probability"])
    assert row["detail"].endswith("is under the threshold, 0.05")


def test_a_bundle_that_gave_way_to_a_live_one_names_the_change_budget() -> None:
    shop, slate = one(Limits(max_size=2))
    best = slate.bundles[0]
    stays = next(
        pair for pair in PAIRS if set(pair) & set(best) and pair != best and slate.problem(shop).value(pair) > 0
    )
    held = replace(slate, live=(stays,)).held_to([stays], shop, "change_budget")
    row = answer(held, slate.product_ids(best), shop, shown(held, shop))
    assert (row["verdict"], row["bundle_rank"]) == ("change_budget", 1)
    lost = replace(slate, live=(None,)).held_to([], shop, "change_budget")
    assert answer(lost, slate.product_ids(best), shop, Shown([], lost.lost_to, {}))["verdict"] == "change_budget"


def test_what_a_weak_search_missed_is_not_called_lower() -> None:
    rng = np.random.default_rng(5)
    shop = desk(rng, Limits(max_size=3, budget_cents=1300), bundles=1, search=Search("greedy"))
    missed = 0
    for slate in customers(rng, shop, 60, candidates=12):
        if slate.solutions[0].status != "feasible":
            continue
        problem = slate.problem(shop)
        every = [items for size in (2, 3) for items in combinations(range(12), size) if problem.is_feasible(items)]
        best = max(every, key=problem.value)
        row = answer(slate, slate.product_ids(best), shop, shown(slate, shop))
        assert (row["verdict"], row["bundle_rank"]) == ("not_found", 1)
        missed += 1
    assert missed


def test_a_count_that_was_cut_says_at_least() -> None:
    shop, slate = one(Limits(max_size=3))
    shop = replace(shop, search=Search(max_nodes=1))
    problem = slate.problem(shop)
    every = sorted((pair for pair in PAIRS if problem.value(pair) > 0), key=problem.value)
    row = answer(slate, slate.product_ids(every[0]), shop, shown(slate, shop))
    assert (row["verdict"], row["bundle_rank"]) == ("ranked_lower", 3)
    assert row["detail"] == "at least 2 allowed bundles are worth more", "those that are offered are known to be"


@pytest.mark.parametrize("lost_to", [(), ("stock",)])
def test_what_a_run_shows_is_read_from_its_rows(lost_to: tuple[str, ...]) -> None:
    shop, slate = one(Limits(max_size=2), bundles=3)
    slate = replace(slate, lost_to=lost_to, live=(slate.bundles[1],))
    names = list(shop.shelf.product_ids)
    known = facts(product_id=names, title=names, category=names, price_cents=[100] * 12, is_bundleable=[True] * 12)
    bundles, items = rows_of(slate, known, RunParams(), "top_12")
    prices = pl.DataFrame({"product_id": ["p00"], "capacity_units": [3], "promised_units": [1]})
    read = Shown.of(BUNDLES.frame(bundles[::-1]), BUNDLE_ITEMS.frame(items), prices)
    assert read == shown(slate, shop, {"p00": 2})
    row = answer(slate, names[:2], shop, read)
    frame = pl.DataFrame([{**row, "run_id": 1, "customer_id": "ann", "product_key": "key"}], infer_schema_length=None)
    assert WHY_NOT.conform(frame.with_columns(pl.col("binding").cast(pl.List(pl.String)))).height == 1
