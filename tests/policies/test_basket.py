"""A half-filled basket: what completes it rises, what would replace something in it is left out."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Pairs, statement_of
from ml.optimizer.objective import Objective, values_beside
from ml.optimizer.rules import NO_BUDGET, UNKNOWN_MARGIN
from ml.optimizer.solve import solve
from ml.policies.basket import COMPLETING, completing
from ml.policies.named import OURS, POLICIES
from ml.policies.shelf import Shelf
from tests.optimizer.problems import by_trying_everything
from tests.policies.shop import PAIRS, products

CHANCE = np.array([0.2, 0.1, 0.4])
LIFT = np.array([[3.0, 0.5, 0.0], [20.0, 0.0, 1.0]])
MARGIN = np.array([50, -10, UNKNOWN_MARGIN])


@pytest.mark.parametrize(
    ("objective", "beside"),
    [
        (Objective.EXPECTED_JOINT_PURCHASE, [[0.6, 0.05, 0.0], [1.0, 0.0, 0.4]]),
        (Objective.INDEPENDENT_PURCHASE, [[0.2, 0.1, 0.0], [0.2, 0.0, 0.4]]),
        (Objective.EXPECTED_INCREMENTAL_MARGIN, [[0.4 * 50, 0.0, 0.0], [0.8 * 50, 0.0, 0.0]]),
        (Objective.PAIRWISE_SUM, [[3.6, 0.55, 0.0], [24.0, 0.0, 1.4]]),
        (Objective.FAVOURITE_TIMES_ASSOCIATION, [[3.0, 0.5, 0.0], [20.0, 0.0, 1.0]]),
    ],
)
def test_what_is_bought_for_certain_makes_each_pair_worth_the_chance_of_the_other(
    objective: Objective, beside: list[list[float]]
) -> None:
    assert values_beside(objective, CHANCE, LIFT, MARGIN) == pytest.approx(np.array(beside))


def test_the_spread_of_a_customers_baskets_counts_as_it_does_for_pairs() -> None:
    found = values_beside(Objective.EXPECTED_JOINT_PURCHASE, CHANCE, LIFT, MARGIN, spread=0.5)
    assert found == pytest.approx(np.array([[0.3, 0.025, 0.0], [1.0, 0.0, 0.2]]))


def shelf() -> Shelf:
    """Return bread (0), butter (1), jam (2) and tea (3); butter completes bread, jam replaces butter."""
    return Shelf.of(products(), PAIRS)


def test_a_basket_adds_up_what_each_of_its_products_does_for_a_candidate() -> None:
    basket = shelf().basket(["bread", "butter", "nothing of this shop"])
    assert basket.is_inside.tolist() == [True, True, False, False]
    assert basket.is_replacing.tolist() == [False, False, True, False], "jam is bought instead of butter"
    codes, chance = np.array([2, 3]), np.array([0.2, 0.3])
    found = basket.values(Objective.EXPECTED_JOINT_PURCHASE, codes, chance, 1.0)
    assert found == pytest.approx([0.2 * 1.0 + 0.2 * 0.5, 0.0]), (
        "jam with bread and with butter; tea is not known with either"
    )
    assert shelf().basket(["tea"]).values(Objective.EXPECTED_JOINT_PURCHASE, codes, chance, 1.0).tolist() == [0.0, 0.0]
    assert shelf().basket(["gone"]).values(Objective.EXPECTED_JOINT_PURCHASE, codes, chance, 1.0).tolist() == [0.0, 0.0]


def random_shelf(rng: np.random.Generator, count: int = 9) -> Shelf:
    names = [f"p{n}" for n in range(count)]
    first, second = np.nonzero(np.triu(rng.random((count, count)) < 0.7, 1))
    lift = rng.gamma(2, 1, len(first))
    pairs = pl.DataFrame(
        {
            "product_a": [names[code] for code in first],
            "product_b": [names[code] for code in second],
            "pair_baskets": np.full(len(first), 20),
            "expected_baskets": 20 / lift,
            "lift_high": lift + 0.6,
            "association": lift,
        }
    )
    prices = rng.integers(100, 900, count).tolist()
    rows = products(product_id=list(names), title=list(names), category=list(names), price_cents=prices,
                    is_bundleable=[True] * count, margin_cents=rng.integers(1, 90, count).tolist())  # fmt: skip
    return Shelf.of(rows, pairs)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_the_best_completion_is_that_of_trying_everything(policy: str) -> None:
    rng = np.random.default_rng(31)
    for _ in range(20):
        shop, limits = random_shelf(rng), Limits(max_size=3, complements_only=True, cost_per_product=0.05)
        basket = shop.basket(["p0", "p1"])
        roles = shop.roles([], [], []).closing(basket.is_inside | basket.is_replacing)
        chance, every = rng.beta(1, 4, 9), np.arange(9)
        problem = shop.problem(POLICIES[policy], every, chance, limits, roles, spread=1.3, basket=basket)
        assert problem.product_values is not None and (problem.product_values >= 0).all()
        best, found = by_trying_everything(problem), solve(problem)
        assert found.objective == pytest.approx(max(best, 0.0))
        assert not found.items or found.status == "optimal"
        assert not basket.is_inside[list(found.items)].any() and not basket.is_replacing[list(found.items)].any()
        open_to_all = replace(problem, is_excluded=None)
        bound = shop.catalogue_bound(POLICIES[policy], chance, 1.3, limits, 0.0, basket)
        assert bound == pytest.approx(max(by_trying_everything(open_to_all), 0.0))


def test_a_complement_of_the_basket_beats_a_likelier_product() -> None:
    likely = np.array([0.3, 0.05, 0.2, 0.3])  # butter is unlikely by itself
    limits = Limits(max_size=2, complements_only=False)
    plain = shelf().problem(POLICIES[OURS], np.arange(4), likely, limits)
    beside = shelf().problem(POLICIES[OURS], np.arange(4), likely, limits, basket=shelf().basket(["bread"]))
    gain = [beside.value(pair) - plain.value(pair) for pair in ((1, 3), (2, 3))]
    assert gain == pytest.approx([3.0 * 0.05, 1.0 * 0.2])


def test_the_crowd_of_shared_stock_reads_the_basket_as_one_problem_does() -> None:
    shop, limits = shelf(), Limits()
    basket, chance = shop.basket(["bread"]), np.array([0.5, 0.4, 0.2, 0.1])
    one = shop.problem(POLICIES[OURS], np.arange(4), chance, limits, spread=1.5, basket=basket).statement
    own = basket.values(POLICIES[OURS].objective, np.arange(4), chance, 1.5)
    none = np.zeros((1, 4), np.int64)
    crowd = Crowd(
        np.arange(4, dtype=np.int32)[None, :], chance[None, :], own[None, :], none.astype(np.uint8), none,
        np.zeros(1, np.int64), np.full(1, NO_BUDGET), np.full(1, 1.5), np.zeros(1, np.int64),
    )  # fmt: skip
    market = shop.market(POLICIES[OURS], limits)
    made = statement_of(
        market, crowd, Pairs.of(market, crowd), 0, np.arange(4), 4, np.zeros(4), np.empty(4, np.int64),
        np.empty((4, 4)), np.zeros((4, 4)),
    )  # fmt: skip
    assert made.linear == pytest.approx(one.linear)


def test_what_completes_a_basket_is_proposed_strongest_first() -> None:
    pairs = pl.DataFrame(
        {
            "product_a": ["bread", "bread", "butter", "bread", "jam"],
            "product_b": ["butter", "jam", "tea", "wine", "tea"],
            "association": [3.0, 1.5, 2.0, 9.0, 5.0],
            "relation": ["complement", "undecided", "complement", "substitute", "complement"],
        }
    )
    offered = pl.Series(["butter", "jam", "tea", "wine"])
    assert completing(pairs, ["bread"], offered) == ["butter", "jam"]
    assert completing(pairs, ["bread", "butter"], offered) == ["tea", "jam"]
    assert completing(pairs, [], offered) == []
    many = pl.DataFrame(
        {"product_a": "a", "product_b": [f"b{n:03d}" for n in range(99)], "association": 2.0, "relation": "complement"}
    )
    assert completing(many, ["a"], many["product_b"]) == [f"b{n:03d}" for n in range(COMPLETING)]
