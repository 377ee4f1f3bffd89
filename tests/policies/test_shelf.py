"""The shelf: which products can be offered, the problem of one customer, the shortlist of candidates."""

import numpy as np
import polars as pl
import pytest

from ml.association.cooccurrence import CooccurrenceParams
from ml.errors import DataError
from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Pairs, statement_of
from ml.optimizer.problem import UNLIMITED
from ml.optimizer.rules import NO_BUDGET
from ml.optimizer.solve import solve
from ml.policies.named import OURS, POLICIES
from ml.policies.shelf import Shelf, offerable, shortlist
from tests.policies.shop import PAIRS, products

CHANCE = np.array([0.5, 0.4, 0.2, 0.1])


def everything(shelf: Shelf) -> np.ndarray:
    return np.arange(len(shelf.product_ids))


def test_a_product_without_a_price_or_excluded_by_the_shop_cannot_be_offered() -> None:
    found = products(price_cents=[300, None, 0, 500], is_bundleable=[True, True, True, False])
    assert offerable(found)["product_id"].to_list() == ["bread"]
    shelf = Shelf.of(found, PAIRS)
    assert shelf.product_ids == ("bread",)
    assert len(shelf.first) == 0
    assert shelf.codes(pl.Series(["butter", "bread"])).tolist() == [-1, 0]


def test_products_without_a_category_share_it_with_nobody() -> None:
    shelf = Shelf.of(products(category=["bakery", None, None, "bakery"]), PAIRS)
    assert shelf.category[0] == shelf.category[3]
    assert len(set(shelf.category.tolist())) == 3


def test_without_counted_stock_it_is_unlimited() -> None:
    assert set(Shelf.of(products(), PAIRS).available_units.tolist()) == {UNLIMITED}
    counted = Shelf.of(products(available_units=[3, 0, None, 1]), PAIRS)
    assert counted.available_units.tolist() == [3, 0, UNLIMITED, 1]


def test_our_problem_holds_the_joint_probability_of_each_pair() -> None:
    shelf = Shelf.of(products(), PAIRS)
    problem = shelf.problem(POLICIES[OURS], everything(shelf), CHANCE, Limits())
    wanted = np.zeros((4, 4))
    wanted[0, 1] = 0.4  # 0.5 x 0.4 x 3, capped by butter alone
    wanted[0, 2] = 0.5 * 0.2 * 1.0
    wanted[1, 2] = 0.4 * 0.2 * 0.5
    assert problem.pair_values == pytest.approx(wanted + wanted.T)
    assert problem.joint is problem.pair_values


def test_other_policies_are_held_to_the_same_joint_probability() -> None:
    shelf = Shelf.of(products(), PAIRS, CooccurrenceParams(5.0, 5))
    problem = shelf.problem(POLICIES["pairwise_sum"], everything(shelf), CHANCE, Limits())
    assert problem.pair_values[0, 1] == pytest.approx((0.5 + 0.4) * 3.0)
    assert problem.joint[0, 2] == pytest.approx(0.5 * 0.2 * (10 + 5) / (10 + 5))
    assert problem.joint[1, 2] == 0.0, "four baskets are no evidence"


def test_the_problem_keeps_the_order_of_the_candidates() -> None:
    shelf = Shelf.of(products(), PAIRS)
    problem = shelf.problem(POLICIES[OURS], np.array([2, 0]), CHANCE[[2, 0]], Limits())
    assert problem.price_cents.tolist() == [400, 300]
    assert solve(problem).joint_probability == pytest.approx(0.1)


def test_the_catalogue_bound_is_what_the_whole_shelf_can_give() -> None:
    shelf = Shelf.of(products(), PAIRS)
    best = solve(shelf.problem(POLICIES[OURS], everything(shelf), CHANCE, Limits(), spread=1.5)).objective
    assert shelf.catalogue_bound(POLICIES[OURS], CHANCE, 1.5, Limits(), 0.0) == pytest.approx(best)
    assert shelf.catalogue_bound(POLICIES[OURS], CHANCE, 1.5, Limits(), best + 1) == best + 1


def scored(rows: list[tuple[str, str, float, bool, bool]]) -> pl.DataFrame:
    names = ["customer_id", "product_id", "preference", "is_bought_before", "is_in_stock"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(is_asked=pl.lit(False))


def test_places_are_kept_for_what_was_never_bought() -> None:
    bought = [("ann", f"old{n:02d}", 0.9 - n / 100, True, True) for n in range(20)]
    unbought = [("ann", f"new{n:02d}", 0.1 - n / 1000, False, True) for n in range(20)]
    kept = shortlist(scored(bought + unbought), 14)
    assert kept["product_id"].to_list() == [f"old{n:02d}" for n in range(9)] + [f"new{n:02d}" for n in range(5)]
    assert kept["candidate_rank"].to_list() == list(range(1, 15))


def test_places_that_are_not_filled_go_to_the_next_likeliest() -> None:
    rows = [("ann", f"old{n:02d}", 0.9 - n / 100, True, True) for n in range(20)]
    kept = shortlist(scored([*rows, ("ann", "new", 0.01, False, True)]), 14)
    assert kept.height == 14
    assert kept["product_id"][-1] == "new"


def test_what_is_not_in_stock_comes_last_but_is_kept_where_there_is_room() -> None:
    rows = [("ann", "gone", 0.9, True, False), ("ann", "a", 0.5, True, True), ("ann", "b", 0.4, False, True)]
    assert shortlist(scored(rows), 2)["product_id"].to_list() == ["a", "b"]
    assert shortlist(scored(rows), 5)["product_id"].to_list() == ["gone", "a", "b"]


def test_what_was_asked_for_is_kept_before_anything_else() -> None:
    rows = scored([("ann", "a", 0.9, True, True), ("ann", "b", 0.8, True, True), ("ann", "c", 0.01, False, False)])
    asked = rows.with_columns(is_asked=pl.col("product_id") == "c")
    assert shortlist(asked, 2)["product_id"].to_list() == ["a", "c"]


def test_substitutes_are_those_bought_together_less_than_by_chance() -> None:
    shelf = Shelf.of(products(), PAIRS)
    problem = shelf.problem(POLICIES[OURS], everything(shelf), CHANCE, Limits(complements_only=True))
    assert problem.violations((1, 2)) == ("substitute",)
    assert problem.violations((0, 2)) == ()


def test_a_pair_of_which_nothing_was_expected_is_no_substitute_though_its_interval_is_zero() -> None:
    strangers = PAIRS.with_columns(expected_baskets=pl.lit(0.0), lift_high=pl.lit(0.0))
    assert not Shelf.of(products(), strangers).is_substitute.any()


def test_who_was_told_a_substitute_is_one_though_its_interval_is_wide_and_it_has_no_evidence_to_meet() -> None:
    told = PAIRS.with_columns(relation=pl.Series(["complement", "undecided", "undecided"]))
    row = {"product_a": "bread", "product_b": "tea", "pair_baskets": 1, "expected_baskets": 5.0, "lift_high": 1.1}
    added = pl.DataFrame([{**row, "association": 0.0, "relation": "substitute"}])
    shelf, limits = Shelf.of(products(), pl.concat([told, added])), Limits(complements_only=True)
    problem = shelf.problem(POLICIES[OURS], everything(shelf), CHANCE, limits)
    assert problem.violations((0, 3)) == problem.violations((0, 1, 3)) == ("substitute",)
    assert problem.violations((0, 1)) == problem.violations((0, 2)) == ()
    assert shelf.market(POLICIES[OURS], limits).is_substitute.sum() == 4, "two pairs, each at both of its rows"


def test_what_the_form_says_of_products_reaches_the_problem() -> None:
    shelf = Shelf.of(products(), PAIRS)
    roles = shelf.roles(["jam"], ["bread"], ["butter"])
    problem = shelf.problem(POLICIES[OURS], everything(shelf), CHANCE, Limits(needs_wanted=True), roles)
    assert problem.violations((0, 2)) == ()
    assert problem.violations((1, 3)) == ("must_include", "pinned", "excluded")


def test_a_product_that_the_shop_does_not_offer_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"pinned.*nothing"):
        Shelf.of(products(), PAIRS).roles([], ["nothing"], ["bread"])


def test_the_shop_as_arrays_gives_the_same_problem() -> None:
    """The compiled builder of many customers against the problem of one."""
    limits = Limits(complements_only=True, min_joint_probability=0.01)
    shelf = Shelf.of(products(), PAIRS)
    crowd = Crowd(
        np.array([[0, 1, 2, 3, -1]], np.int32),
        np.append(CHANCE, 0.0)[None, :],
        np.zeros((1, 5)),
        np.zeros((1, 5), np.uint8),
        np.zeros((1, 5), np.int64),
        np.zeros(1, np.int64),
        np.full(1, NO_BUDGET),
        np.full(1, 1.5),
        np.zeros(1, np.int64),
    )
    market = shelf.market(POLICIES[OURS], limits)
    wanted = shelf.problem(POLICIES[OURS], everything(shelf), CHANCE, limits, spread=1.5).statement
    made = statement_of(
        market, crowd, Pairs.of(market, crowd), 0, np.arange(4), 4, np.zeros(4), np.empty(5, np.int64),
        np.empty((4, 4)), np.zeros((4, 4)),
    )  # fmt: skip
    assert made.pair == pytest.approx(wanted.pair)
    assert made.joint == pytest.approx(wanted.joint)
    assert made.linear == pytest.approx(wanted.linear)


def test_customers_have_shortlists_of_their_own_and_ties_go_by_product() -> None:
    rows = [(who, what, 0.5, True, True) for who in ("bob", "ann") for what in ("c", "a", "b")]
    kept = shortlist(scored(rows), 2)
    assert kept.select("customer_id", "product_id", "candidate_rank").rows() == [
        ("ann", "a", 1), ("ann", "b", 2), ("bob", "a", 1), ("bob", "b", 2),
    ]  # fmt: skip
