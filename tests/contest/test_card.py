"""The card says what P is about and what it was judged on, as the horizon has it."""

import polars as pl
import pytest

from ml.contest.card import preference_card
from ml.contest.plan import CANDIDATE, Plan
from ml.contest.windows import Entrant
from tests.contest.test_windows import AS_OF, FREQUENT, ONE_WINDOW, World, hold_contest, horizon, products, world

__all__ = ["products", "world"]


@pytest.mark.parametrize(
    ("wanted", "purpose", "judged"),
    [
        ("next_basket", "P that a customer's next basket holds a product", "first basket in the 28 days after"),
        ("next_28_days", "P that a customer buys a product within 28 days", "purchases in the 28 days after"),
    ],
)
def test_a_card_names_the_horizon(
    wanted: str,
    purpose: str,
    judged: str,
    world: World,
    products: pl.DataFrame,
) -> None:
    settings, entrants = horizon(ONE_WINDOW, wanted), (Entrant(CANDIDATE, FREQUENT),)
    contest = hold_contest(world.baskets, products, AS_OF, entrants, settings, seed=1)
    plan = Plan(FREQUENT, None, 0, entrants, "", ("nobody else",))
    card = preference_card(CANDIDATE, FREQUENT, plan, contest, {"seed": 1}, "passed", AS_OF, settings)
    assert purpose in card and judged in card and "- nobody else" in card
    assert ("joint probability of a bundle\n" in card) == (wanted == "next_basket")
