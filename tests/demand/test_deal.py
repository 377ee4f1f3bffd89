"""What being on offer does at any depth: found in worlds made of it, and used between depths."""

import numpy as np
import pytest

from ml.demand.deal import NO_DEAL, Deal, deal_effect
from ml.demand.discounted import Event


def event(paid: np.ndarray, effect: float, elasticity: float) -> Event:
    """Return weeks of 100 usual units that answer to a discount by an effect of its own and by the price."""
    units = 100 * np.exp(effect + elasticity * np.log(paid))
    none = np.zeros(len(paid), np.int64)
    return Event(0, none, np.zeros((1, len(paid))), none, np.ones(1), np.full(len(paid), 100.0), units - 100, paid)


DEPTHS = np.tile([0.9, 0.8, 0.7], 10)


def test_the_part_of_the_answer_that_no_depth_explains_is_found() -> None:
    found = deal_effect([event(DEPTHS, 0.2, -2.0)])
    middle = np.log(DEPTHS).mean()
    assert found.usual_share == pytest.approx(np.exp(middle))
    assert found.share == pytest.approx(0.2 / (0.2 - 2.0 * middle))
    assert found.least_off == pytest.approx(0.1)


def test_an_elasticity_that_holds_at_a_usual_discount_gives_the_answer_at_any() -> None:
    effect, slope = 0.2, -2.0
    deal = deal_effect([event(DEPTHS, effect, slope)])
    through_origin = (effect + slope * np.log(deal.usual_share)) / np.log(deal.usual_share)
    for paid in (0.9, 0.8, 0.6):
        expected = np.exp(effect + slope * np.log(paid))
        assert deal.felt(np.array([paid])) ** through_origin == pytest.approx(expected)


def test_a_discount_smaller_than_any_seen_is_felt_as_it_is() -> None:
    felt = Deal(0.5, 0.75, 0.1).felt(np.array([1.0, 0.95, 0.9, 0.75, 0.6]))
    assert felt[:2].tolist() == [1.0, 0.95]
    assert felt[2] < 0.9 and felt[3] == pytest.approx(0.75) and felt[4] > 0.6


def test_without_an_effect_a_discount_is_felt_as_it_is() -> None:
    found = deal_effect([event(DEPTHS, 0.0, -2.0)])
    assert found.share == pytest.approx(0, abs=1e-6)
    assert deal_effect([event(DEPTHS, -0.3, -2.0)]).share == 0, "an offer deters nobody"
    assert NO_DEAL.felt(DEPTHS).tolist() == DEPTHS.tolist()


def test_one_depth_tells_nothing_of_others() -> None:
    assert deal_effect([event(np.full(9, 0.8), 0.2, -2.0)]) == NO_DEAL == deal_effect([])
