"""The instances of the optimizer's benchmark are what their description says, and its judge is strict."""

import numpy as np
import pytest

from benchmarks.instances import INVENTED, NEIGHBOURS, Instances, flat, realistic
from benchmarks.optimizer import _agree, _gaps
from benchmarks.peers import solve_cp_sat, solve_highs, solve_pymoo
from benchmarks.races import Stack, exact_kernel, judge, race, race_from_neighbours, statement_at
from benchmarks.real_instances import journey
from ml.optimizer.exact import solve_exact
from ml.optimizer.market import Pairs, statement_of

NODES = 10**6


def _from_the_market(instances: Instances, customer: int):  # type: ignore[no-untyped-def]
    n, products = instances.candidates, len(instances.market.price)
    pairs, free = Pairs.of(instances.market, instances.crowd), np.zeros(products)
    return statement_of(
        instances.market, instances.crowd, pairs, customer, np.arange(n), n, free, np.empty(n, np.int64),
        np.empty((n, n)), np.empty((n, n))
    )  # fmt: skip


@pytest.mark.parametrize("kind", INVENTED)
def test_the_same_seed_invents_the_same_customers(kind: str) -> None:
    one, same = INVENTED[kind](40, 3, 5), INVENTED[kind](40, 3, 5)
    for field, again in zip(one.crowd, same.crowd, strict=True):
        np.testing.assert_array_equal(field, again)
    assert (realistic(40, 3, 5, seed=1).crowd.product != realistic(40, 3, 5, seed=2).crowd.product).any()


@pytest.mark.parametrize("kind", INVENTED)
def test_every_customer_can_be_offered_a_bundle_of_the_size_asked_for(kind: str) -> None:
    instances = INVENTED[kind](40, 4, 5)
    assert instances.name == f"{kind}_n40_k4"
    for customer in range(5):
        problem = instances.problem(customer)
        assert problem.candidates == 40 and problem.is_anchor is not None
        assert 8 <= problem.is_anchor.sum() < 12
        assert len(solve_exact(problem).items) == 4


def test_sparse_associations_are_the_strongest_of_the_realistic_ones() -> None:
    dense, sparse = INVENTED["realistic"](60, 3, 3), INVENTED["sparse"](60, 3, 3)
    np.testing.assert_array_equal(dense.crowd.product, sparse.crowd.product)
    degrees = np.diff(sparse.market.starts)
    assert degrees.min() >= NEIGHBOURS
    for customer in range(3):
        codes = dense.crowd.product[customer]
        whole, kept = dense.associations(codes), sparse.associations(codes)
        is_kept = kept > 0
        np.testing.assert_allclose(kept[is_kept], whole[is_kept])
        assert 0 < is_kept.sum() < (whole > 0).sum() / 2
        assert kept[is_kept].min() > np.median(whole)


def test_flat_pairs_are_nearly_alike() -> None:
    values = flat(40, 3, 1).problem(0).pair_values[np.triu_indices(40, 1)]
    assert values.max() / values.min() < 1.2


def test_the_market_makes_the_same_statement_as_the_matrices() -> None:
    instances = INVENTED["sparse"](50, 3, 4)
    for customer in range(4):
        made, stated = _from_the_market(instances, customer), instances.problem(customer).statement
        for name in ("pair", "linear", "preference", "price", "margin", "category", "is_open", "role", "earlier"):
            np.testing.assert_allclose(getattr(made, name), getattr(stated, name), err_msg=name)
        assert tuple(made.rules) == tuple(stated.rules)


def test_the_stack_holds_each_customers_statement() -> None:
    problems = [realistic(30, 3, 3).problem(customer) for customer in range(3)]
    stack = Stack.of(problems)
    for customer, problem in enumerate(problems):
        for name, field in problem.statement._asdict().items():
            np.testing.assert_array_equal(getattr(statement_at(stack, customer), name), field, err_msg=name)


def test_timed_loops_find_what_the_solver_finds() -> None:
    instances = INVENTED["sparse"](40, 3, 6)
    problems = [instances.problem(customer) for customer in range(6)]
    result = race(exact_kernel, Stack.of(problems), NODES, 1)
    expected = [problem.value(solve_exact(problem).items) for problem in problems]
    np.testing.assert_allclose(result.value, expected, rtol=1e-12)
    _, bounds = race_from_neighbours(instances, 1)
    np.testing.assert_allclose(bounds, expected, rtol=1e-9)


def test_a_bundle_that_breaks_a_rule_is_worth_nothing() -> None:
    stack = Stack.of([realistic(30, 3, 1).problem(0)])
    found, value = race(exact_kernel, stack, NODES, 1).found, np.empty(1)
    found[0, 2] = -1  # two products where three are asked for
    judge(stack, found, value)
    assert value[0] == -np.inf


def test_general_solvers_agree_on_the_optimum() -> None:
    problem = realistic(30, 3, 1).problem(0)
    optimum = problem.value(solve_exact(problem).items)
    for solve in (solve_cp_sat, solve_highs):
        answer = solve(problem)
        assert answer.is_proven and problem.value(answer.items) == pytest.approx(optimum)
    evolved = solve_pymoo(problem, seed=1).items
    assert problem.is_feasible(evolved)
    assert 0.8 * optimum < problem.value(evolved) <= optimum * (1 + 1e-12)


def test_a_gap_is_whole_where_nothing_was_found_and_customers_without_a_bundle_do_not_count() -> None:
    gaps = _gaps("", np.array([1.0, 1.5, -np.inf, -np.inf]), np.array([1.0, 2.0, 3.0, -np.inf]))
    assert gaps.tolist() == [0.0, 0.25, 1.0]


def test_a_bundle_better_than_the_proven_best_ends_the_run() -> None:
    with pytest.raises(RuntimeError, match="better than the proven optimum"):
        _gaps("", np.array([1.001]), np.array([1.0]))


@pytest.mark.parametrize("theirs", [1.001, 0.999, -np.inf])
def test_another_optimum_ends_the_run(theirs: float) -> None:
    with pytest.raises(RuntimeError, match="another optimum"):
        _agree("", np.array([1.0, theirs]), np.array([1.0, 1.0]), np.full(2, 1e-6))


@pytest.mark.slow
def test_real_customers_have_their_likeliest_candidates_and_the_shops_lifts() -> None:
    instances = journey(50, 3, 4)
    assert instances.name == "complete_journey_n50_k3" and instances.customers == 4
    assert (np.diff(instances.crowd.preference, axis=1) <= 0).all()
    for customer in range(4):
        problem = instances.problem(customer)
        assert problem.limits.max_per_category == 1 and problem.limits.cost_per_product > 0
        assert (problem.pair_values > 0).mean() > 0.1
        np.testing.assert_allclose(_from_the_market(instances, customer).pair, problem.statement.pair)
        assert problem.value(solve_exact(problem).items) > 0
