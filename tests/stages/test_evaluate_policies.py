"""What policies are compared with: the champion's own recipe, whatever the settings say by now."""

from datetime import date, timedelta
from typing import Any, cast

import polars as pl
import pytest

from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams
from ml.contest.pair_plan import recipe_of
from ml.settings import AssociationSettings, Settings
from ml.stages.evaluate_policies import _counts
from ml.training import Shop
from ml.versions import Version

THROUGH = date(2024, 6, 2)


@pytest.fixture
def shop() -> Shop:
    days = [THROUGH - timedelta(days=back) for back in (5, 3, 0, -1)]
    rows = {"customer_id": ["ann"] * 4, "basket_on": days, "product_ids": [["a", "b"]] * 4, "is_giant": [False] * 4}
    return Shop(pl.DataFrame(rows), pl.DataFrame())


def counts(shop: Shop, **tags: str) -> Cooccurrence:
    champion = Version("association", 1, "run", {"data_cut_off": "2024-06-30", **tags})
    asked = Settings(association=AssociationSettings(shrinkage=4.0, min_pair_baskets=2))
    return _counts(cast(Any, None), champion, shop, THROUGH, asked)


def test_pairs_are_counted_by_the_champions_recipe_on_the_days_before_the_held_out_ones(shop: Shop) -> None:
    found = counts(shop, recipe=recipe_of(CooccurrenceParams(shrinkage=9.0, min_pair_baskets=3)))
    assert (found.params.shrinkage, found.params.min_pair_baskets) == (9.0, 3)
    assert found.all_pair_baskets.tolist() == [3]


@pytest.mark.parametrize("tags", [{}, {"recipe": '{"kind": "lift", "params": {"unheard_of": 1}}'}])
def test_a_champion_whose_recipe_cannot_be_followed_is_counted_as_the_settings_say_and_the_log_tells(
    shop: Shop, tags: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    found = counts(shop, **tags)
    assert (found.params.shrinkage, found.params.min_pair_baskets) == (4.0, 2)
    assert "association 1: its recipe cannot be followed" in caplog.text
