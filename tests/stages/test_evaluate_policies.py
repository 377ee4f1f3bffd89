"""What policies are compared with: the champion's own recipe, whatever the settings say by now."""

from datetime import date, timedelta
from typing import Any, cast

import polars as pl

from ml.association.cooccurrence import CooccurrenceParams
from ml.contest.pair_plan import recipe_of
from ml.stages.evaluate_policies import _counts
from ml.training import Shop
from ml.versions import Version

THROUGH = date(2024, 6, 2)


def test_pairs_are_counted_by_the_champions_recipe_on_the_days_before_the_held_out_ones() -> None:
    days = [THROUGH - timedelta(days=back) for back in (5, 3, 0, -1)]
    rows = {"customer_id": ["ann"] * 4, "basket_on": days, "product_ids": [["a", "b"]] * 4, "is_giant": [False] * 4}
    recipe = recipe_of(CooccurrenceParams(shrinkage=9.0, min_pair_baskets=3))
    champion = Version("association", 1, "run", {"data_cut_off": "2024-06-30", "recipe": recipe})
    found = _counts(cast(Any, None), champion, Shop(pl.DataFrame(rows), pl.DataFrame()), THROUGH)
    assert (found.params.shrinkage, found.params.min_pair_baskets) == (9.0, 3)
    assert found.all_pair_baskets.tolist() == [3]
