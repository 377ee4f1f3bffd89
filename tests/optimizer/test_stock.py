"""The stock-coupled assignment: stock is kept, the bound holds against an integer program over all bundles."""

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from ml.errors import DataError
from ml.optimizer.dual import COLUMNS, Pricing
from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Market, check
from ml.optimizer.objective import Objective
from ml.optimizer.problem import BundleProblem
from ml.optimizer.rules import CONSTRAINTS
from ml.optimizer.stock import Assigned, Assignment, StockParams, assign
from ml.optimizer.sweep import eject, sweep
from tests.optimizer.problems import breaks, feasible_bundles
from tests.optimizer.worlds import any_shop, problem_of, shop

LIMITS = [
    Limits(max_size=3, max_per_category=2),
    Limits(max_size=3, budget_cents=1500, max_per_category=1, cost_per_product=0.01, min_joint_probability=0.001),
    Limits(min_size=3, max_size=4, min_price_cents=400, max_per_category=2, needs_anchor=True),
    Limits(max_size=3, min_margin_cents=150, max_per_category=3),
]


def assigned(
    market: Market, crowd: Crowd, units: np.ndarray, params: StockParams | None = None, shards: int = 1
) -> tuple[Assignment, list[Assigned]]:
    parts = [Crowd(*(array[part::shards] for array in crowd)) for part in range(shards)]
    whole, iterator = assign(market, lambda: parts, units, params or StockParams(rounds=3, seed=1))
    return whole, list(iterator)


def optimum(problems: list[BundleProblem], units: np.ndarray) -> float:
    """Return the best value of any assignment: an integer program with a column for each bundle of each customer."""
    columns = [
        (u, value, problem.product[list(items)])  # type: ignore[index]
        for u, problem in enumerate(problems)
        for value, items in feasible_bundles(problem)
        if value > 0
    ]
    if not columns:
        return 0.0
    rows = np.zeros((len(problems) + len(units), len(columns)))
    for column, (u, _, products) in enumerate(columns):
        rows[u, column] = 1
        rows[len(problems) + products, column] = 1
    most = np.concatenate([np.ones(len(problems)), units])
    values = np.array([value for _, value, _ in columns])
    found = milp(
        -values * (1e5 / values.max()),  # HiGHS takes 1e-6 of the objective for nothing
        constraints=LinearConstraint(rows, ub=most),
        integrality=np.ones(len(values)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    assert found.success
    return float(values @ np.round(found.x))  # what is one but for 1e-7 counts whole


def keeps_its_word(
    problems: list[BundleProblem], units: np.ndarray, whole: Assignment, product: np.ndarray, value: np.ndarray
) -> None:
    """Assert that stock is kept and that each customer's bundle is one of theirs, worth what is said."""
    used = np.bincount(product[product >= 0], minlength=len(units))
    assert (used <= units).all()
    assert (used == whole.promised).all()
    for u, problem in enumerate(problems):
        codes = product[u][product[u] >= 0]
        items = tuple(int(place) for place in np.flatnonzero(np.isin(problem.product, codes)))  # type: ignore[arg-type]
        assert len(items) == len(codes)
        assert not items or not breaks(problem, items)
        assert value[u] == pytest.approx(problem.value(items) if items else 0.0, rel=1e-9, abs=1e-12)


WORLDS = 45


@pytest.mark.parametrize("objective", Objective)
def test_under_every_rule_the_optimum_lies_between_what_is_assigned_and_the_bound(objective: Objective) -> None:
    """Against an integer program over all bundles, for customers of every kind and in one shard, two or three."""
    gaps, served, short = [], 0, 0
    for seed in range(WORLDS):
        (market, crowd, units), limits = any_shop(np.random.default_rng([20, objective, seed]), objective)
        problems = [problem_of(market, crowd, u, limits) for u in range(len(crowd.product))]
        shards = 1 + seed % 3
        whole, results = assigned(market, crowd, units, shards=shards)
        product, value = np.full((len(problems), limits.max_size), -1), np.zeros(len(problems))
        for part, result in enumerate(results):
            product[part::shards], value[part::shards] = result.product, result.value
        keeps_its_word(problems, units, whole, product, value)
        best = optimum(problems, units)
        tolerance = 1e-9 * max(best, 1e-3)
        assert value.sum() == pytest.approx(whole.value)
        assert whole.value <= best + tolerance
        assert best <= whole.upper_bound + tolerance
        served += int((product[:, 0] >= 0).sum())
        short += bool(whole.prices.any())
        if shards == 1 and best > 0:
            gaps.append((best - whole.value) / best)
    assert served > WORLDS and short > WORLDS / 3, "worlds in which nothing is at stake prove nothing"
    assert np.mean(gaps) < 0.1, "one bundle more or less is much among eight customers"


def test_the_worlds_hold_every_rule_and_some_bundles_are_lost_to_each() -> None:
    """A rule that never stood in the way of a bundle would not be tried by the test above."""
    lost: set[str] = set()
    for objective in Objective:
        for seed in range(WORLDS):
            (market, crowd, _), limits = any_shop(np.random.default_rng([20, objective, seed]), objective)
            for u in range(len(crowd.product)):
                problem = problem_of(market, crowd, u, limits)
                for items in combinations(range(problem.candidates), limits.max_size):
                    broken = breaks(problem, items)
                    lost |= broken if len(broken) == 1 else set()
    assert lost == set(CONSTRAINTS) - {"size", "stock", "excluded"}, "no bundle of these breaks the others"


@pytest.mark.parametrize("limits", LIMITS)
def test_value_optimum_and_bound_stand_in_this_order(limits: Limits) -> None:
    rng = np.random.default_rng(2)
    gaps = []
    for _ in range(6):
        market, crowd, units = shop(rng, 12, 12, 7, limits)
        problems = [problem_of(market, crowd, u, limits) for u in range(12)]
        whole, (result,) = assigned(market, crowd, units)
        best = optimum(problems, units)
        assert result.value.sum() == pytest.approx(whole.value)
        assert whole.value <= best + 1e-9 <= whole.upper_bound + 2e-9
        gaps.append((best - whole.value) / max(best, 1e-12))
        assert (whole.prices >= 0).all()
        keeps_its_word(problems, units, whole, result.product, result.value)
    assert np.mean(gaps) < 0.05


def test_plenty_of_stock_gives_everybody_their_best() -> None:
    limits = LIMITS[0]
    market, crowd, _ = shop(np.random.default_rng(3), 40, 15, 8, limits)
    whole, (result,) = assigned(market, crowd, np.full(15, 40))
    best = [max(feasible_bundles(problem_of(market, crowd, u, limits))[0][0], 0.0) for u in range(40)]
    assert result.value == pytest.approx(best)
    assert whole.gap_pct == pytest.approx(0.0, abs=1e-6)
    assert (whole.prices == 0).all()


def test_ejections_keep_the_stock_and_raise_the_value_the_more_products_may_be_freed() -> None:
    """Customers take turns first, so that the late ones find products gone that others need less."""
    reached = {}
    for most_gone in (0, 1, 2):
        values, count = [], 0
        for seed in range(12):
            limits = Limits(min_size=2, max_size=3, max_per_category=3)
            market, crowd, _ = shop(np.random.default_rng([8, seed]), 12, 12, 7, limits)
            problems = [problem_of(market, crowd, u, limits) for u in range(12)]
            pricing, free, units = Pricing.of(market, crowd, 1, 10_000), np.zeros(12), np.full(12, 2)
            pricing.at(free, None, 1e9, COLUMNS)
            turns = np.tile(np.arange(COLUMNS), (12, 1))
            held, value, left, memory = np.full((12, 3), -1, np.int32), np.zeros(12), units.copy(), pricing.memory()
            order = np.arange(12)
            sweep(market, crowd, order, pricing.columns, free, left, held, value, 10_000, memory)
            before = value.sum()
            moved = eject(
                market, crowd, pricing.columns, turns, most_gone, free, left, held, value, 1000, 10_000, memory
            )
            assert (left == units - np.bincount(held[held >= 0], minlength=12)).all()
            whole = Assignment(free, 0.0, 0.0, 0.0, units - left)
            keeps_its_word(problems, units, whole, held, value)
            assert value.sum() > before if moved else value.sum() == before
            values.append(value.sum())
            count += moved
        reached[most_gone] = np.mean(values)
        assert (count > 0) == (most_gone > 0)
    assert reached[0] < reached[1] < reached[2]


def test_the_bound_knows_that_nobody_gets_what_is_sold_out() -> None:
    """Every bundle needs the one product without a unit, so that nothing can be gained."""
    limits = Limits(min_size=2, max_size=2, max_per_category=9)
    market, crowd, _ = shop(np.random.default_rng(9), 30, 2, 2, limits)
    whole, _ = assigned(market, crowd, np.array([0, 30]))
    assert whole.upper_bound == pytest.approx(0.0, abs=1e-9)


def test_without_stock_nobody_gets_anything() -> None:
    market, crowd, _ = shop(np.random.default_rng(3), 10, 15, 8, LIMITS[0])
    whole, (result,) = assigned(market, crowd, np.zeros(15, np.int64))
    assert (result.product == -1).all()
    assert whole.value == 0.0


def test_one_seed_gives_one_assignment_on_any_number_of_threads() -> None:
    market, crowd, units = shop(np.random.default_rng(4), 200, 20, 10, LIMITS[0])
    first = assigned(market, crowd, units, StockParams(rounds=2, seed=7))
    again = assigned(market, crowd, units, StockParams(rounds=2, seed=7, threads=3))
    assert (first[1][0].product == again[1][0].product).all()
    assert first[0].upper_bound == again[0].upper_bound


def test_shards_share_the_stock_and_one_bound() -> None:
    market, crowd, units = shop(np.random.default_rng(5), 300, 20, 10, LIMITS[0])
    alone, _ = assigned(market, crowd, units)
    whole, results = assigned(market, crowd, units, shards=4)
    used = sum(np.bincount(part.product[part.product >= 0], minlength=20) for part in results)
    assert (used <= units).all()
    assert len(results) == 4
    assert whole.value <= alone.upper_bound + 1e-9
    assert alone.value <= whole.upper_bound + 1e-9
    assert whole.value >= 0.93 * alone.value


def test_a_price_says_what_one_more_unit_brings() -> None:
    """The price of the scarcest product is near the change of the optimum with its units."""
    limits = Limits(max_size=2, max_per_category=9)
    market, crowd, _ = shop(np.random.default_rng(6), 60, 10, 6, limits)
    units = np.full(10, 60)
    units[0] = 3
    problems = [problem_of(market, crowd, u, limits) for u in range(60)]
    whole, _ = assigned(market, crowd, units)
    more = units.copy()
    more[0] += 1
    gain = optimum(problems, more) - optimum(problems, units)
    assert whole.prices[0] == pytest.approx(gain, rel=0.5)
    assert whole.prices[1:] == pytest.approx(0.0, abs=1e-6)


def test_what_no_customer_can_have_is_refused() -> None:
    market, crowd, units = shop(np.random.default_rng(7), 5, 10, 6, LIMITS[0])
    with pytest.raises(DataError, match="units"):
        assigned(market, crowd, units - 100)
    twice = crowd._replace(product=np.zeros_like(crowd.product))
    with pytest.raises(DataError, match="twice"):
        check(market, twice)
    with pytest.raises(DataError, match="probability"):
        check(market, crowd._replace(preference=np.full_like(crowd.preference, np.nan)))
    with pytest.raises(DataError, match="codes"):
        check(market, crowd._replace(product=crowd.product + 10))
    for name, wrong in (("price", -1), ("lift", np.nan), ("association", -0.5)):
        with pytest.raises(DataError, match=name):
            check(market._replace(**{name: np.full_like(getattr(market, name), wrong)}), crowd)
    with pytest.raises(DataError, match="shape"):
        check(market, crowd._replace(own=crowd.own[:, 1:]))
