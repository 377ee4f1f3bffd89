"""The true value of a policy, found again in the logs of another: the short form of the benchmark."""

import numpy as np
import pytest

from benchmarks.off_policy import ESTIMATORS, GOOD, WEAK, answers, coverage, draw, population
from ml.sources.simulated_shop import SimulatedShop, Size
from ml.sources.simulated_shop.browsing import Visits, click_chances, reactions
from ml.sources.simulated_shop.catalogue import own_bundles
from ml.sources.simulated_shop.shopping import DayOfSales

SEEDS = range(40)


@pytest.mark.parametrize("logging", GOOD)
def test_intervals_cover_the_true_value(logging: str) -> None:
    given = answers(logging, SEEDS)
    assert sum(bool(one.found.values) for one in given) >= 38, "good overlap is not to be refused"
    for name in ESTIMATORS:
        # Of 40 at 95 %, fewer than 34 come once in 5,000 times.
        assert sum(coverage(given, name)) >= 34, name
        errors = [one.unguarded.values[name].value / one.truth - 1 for one in given]
        assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors)), f"{name} is biased"


@pytest.mark.parametrize("logging", WEAK)
def test_weak_overlap_is_refused(logging: str) -> None:
    given = answers(logging, SEEDS[:20])
    assert all(one.found.overlap.reason and not one.found.values for one in given)


def test_a_log_is_drawn_as_the_shop_reacts() -> None:
    people = population(0)
    log, target, _ = draw(people, "uniform", 1)
    assert (target.sum(axis=1) == 1).all() and (log.propensity == 1 / target.shape[1]).all()
    assert log.reward.mean() == pytest.approx(
        people.visits @ people.chances.mean(axis=1) / people.visits.sum(), rel=0.1
    )


def test_chances_are_those_by_which_the_simulated_shop_clicks() -> None:
    shop = SimulatedShop(Size(50, 60, 60), 2)
    bundles = own_bundles(shop.truth)
    customer = np.repeat(np.arange(50), 4000)
    moment = np.zeros(customer.size)
    no_order = np.full(customer.size, -1)
    nothing = np.empty(0, np.int64)
    sales = DayOfSales(nothing, nothing, nothing, nothing, nothing, moment[:0], nothing, nothing)
    seen = Visits(customer, no_order, moment, moment + 60)
    took = reactions(np.random.default_rng(0), shop.truth, sales, seen, bundles)
    shape = (50, len(bundles))
    shown, clicked = np.zeros(shape), np.zeros(shape)
    np.add.at(shown, (customer[took.visit[took.kind == 0]], took.bundle[took.kind == 0]), 1)
    np.add.at(clicked, (customer[took.visit[took.kind == 1]], took.bundle[took.kind == 1]), 1)
    chances = click_chances(shop.truth, bundles)
    errors = (clicked - shown * chances) / np.sqrt(shown * chances * (1 - chances))
    assert abs(errors.mean()) < 4 / np.sqrt(errors.size) and errors.std() == pytest.approx(1, abs=0.1)
