"""The bound over a whole catalogue against the dense bound and against trying everything."""

from dataclasses import replace

import numpy as np
import pytest

import ml.optimizer.catalogue
from ml.errors import DataError
from ml.optimizer.catalogue import Catalogue
from ml.optimizer.limits import Limits
from ml.optimizer.problem import BundleProblem
from ml.optimizer.solve import gap_pct, solve
from tests.optimizer.problems import by_trying_everything, random_limits, random_problem, three_products


def catalogue_of(problem: BundleProblem) -> tuple[Catalogue, np.ndarray, np.ndarray]:
    first, second = np.nonzero(np.triu(problem.joint, 1))
    alike = np.zeros((problem.candidates,) * 2, bool) if problem.is_substitute is None else problem.is_substitute
    facts = Catalogue(
        problem.price_cents, problem.category, problem.available_units, first, second, alike[first, second]
    )
    return facts, problem.pair_values[first, second], problem.joint[first, second]


def test_the_catalogue_bound_is_the_optimum_over_all_products() -> None:
    rng = np.random.default_rng(8)
    for _ in range(200):
        problem = random_problem(rng, int(rng.integers(2, 11)), random_limits(rng))
        catalogue, values, joint = catalogue_of(problem)
        best = max(by_trying_everything(problem), 0.0)
        for objective in (0.0, best / 2, best):
            bound = catalogue.bound(problem.preference, values, joint, problem.limits, objective)
            assert bound == pytest.approx(best, abs=1e-12)
            assert bound >= objective


def test_substitutes_do_not_meet_in_the_catalogue_either() -> None:
    rng = np.random.default_rng(14)
    for _ in range(60):
        limits = Limits(max_size=3, max_per_category=2, complements_only=True)
        problem = random_problem(rng, 9, limits)
        substitute = np.triu((rng.random((9, 9)) < 0.3) & (problem.joint > 0), 1)  # only seen pairs are known
        problem = replace(problem, is_substitute=substitute | substitute.T)
        catalogue, values, joint = catalogue_of(problem)
        bound = catalogue.bound(problem.preference, values, joint, limits, 0.0)
        best = max(by_trying_everything(problem), 0.0)
        assert bound == pytest.approx(best, abs=1e-12)


def test_an_optional_product_of_negative_reach_is_left_out_once() -> None:
    """Three products, of which two go together: no fourth, and the third costs a tenth."""
    pairs = np.zeros((3, 3))
    pairs[0, 1] = pairs[1, 0] = 1.0
    limits = Limits(min_size=3, max_size=4, cost_per_product=0.1, max_per_category=4)
    facts = {"pair_values": pairs, "joint": pairs, "preference": np.ones(3)}
    problem = three_products(limits, **facts)
    catalogue, values, joint = catalogue_of(problem)
    assert catalogue.bound(problem.preference, values, joint, limits, 0.69) == pytest.approx(0.7)


def test_what_the_candidates_leave_out_shows_as_a_gap() -> None:
    problem = random_problem(np.random.default_rng(9), 60, Limits())
    catalogue, values, joint = catalogue_of(problem)
    best = solve(problem)
    rest = solve(problem.after(best.items))
    bound = catalogue.bound(problem.preference, values, joint, problem.limits, rest.objective)
    assert bound == pytest.approx(best.objective)
    assert gap_pct(rest.objective, bound) > 0
    assert gap_pct(best.objective, catalogue.bound(problem.preference, values, joint, problem.limits, bound)) == 0


def test_a_catalogue_too_large_for_the_dense_bound_gets_a_looser_one(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(np.random.default_rng(10), 40, Limits())
    catalogue, values, joint = catalogue_of(problem)
    tight = catalogue.bound(problem.preference, values, joint, problem.limits, 0.0)
    monkeypatch.setattr(ml.optimizer.catalogue, "LARGEST_DENSE", 5)
    loose = catalogue.bound(problem.preference, values, joint, problem.limits, 0.0)
    assert loose >= tight > 0


def test_pairs_only_ask_for_no_triples() -> None:
    problem = random_problem(np.random.default_rng(12), 30, Limits(max_size=2))
    catalogue, values, joint = catalogue_of(problem)
    bound = catalogue.bound(problem.preference, values, joint, problem.limits, 0.0)
    assert bound == pytest.approx(solve(problem).objective)


def test_an_empty_catalogue_adds_nothing() -> None:
    none, nothing = np.zeros(0, np.int64), np.zeros(0)
    empty = Catalogue(none, none.astype(np.int32), none, none, none, none.astype(bool))
    assert empty.bound(nothing, nothing, nothing, Limits(), 0.0) == 0.0


def test_differing_shapes_are_refused() -> None:
    problem = random_problem(np.random.default_rng(13), 10, Limits())
    catalogue, values, joint = catalogue_of(problem)
    with pytest.raises(DataError, match="shapes"):
        catalogue.bound(problem.preference[1:], values, joint, problem.limits, 0.0)


def test_a_gap_is_in_per_cent_of_the_bound() -> None:
    assert gap_pct(0.10, 0.125) == pytest.approx(20.0)
    assert gap_pct(0.0, 0.0) == 0.0
    assert gap_pct(0.0, 0.1) == 100.0
