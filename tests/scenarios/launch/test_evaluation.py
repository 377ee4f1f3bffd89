"""Launches of the past planned as if unsold: partners that meet the product are found, and so are its buyers."""

from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl

from ml.scenarios.judged import paired
from ml.scenarios.launch.evaluation import BEST_SELLERS, FREQUENT, SAME_CATEGORY, judge, launched_in, meetings

CUT = date(2024, 6, 1)
COMPARE = partial(paired, draws=100, seed=1)
KINDS = {"pasta": "sauce", "bread": "butter", "soap": "towel"}
"""Who buys the first in a basket buys the second with it."""


def shop(seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return baskets and products: each customer has one habit; from the cut on each kind has a new product."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(90):
        one, other = list(KINDS.items())[number % 3]
        for day in range(-150, 28, 3):
            held = {f"{one}{rng.integers(4)}", f"{other}{rng.integers(4)}", f"bag{rng.integers(3)}"}
            if day >= 0 and rng.random() < 0.3:
                held.add(f"{one}_new")
            rows.append((f"c{number:02d}", CUT + timedelta(days=day), sorted(held)))
    baskets = pl.DataFrame(rows, schema=["customer_id", "basket_on", "product_ids"], orient="row")
    kinds = [*KINDS, *KINDS.values()]
    names = [f"{kind}{n}" for kind in kinds for n in range(4)] + [f"bag{n}" for n in range(3)]
    names += [f"{kind}_new" for kind in KINDS]
    category = [name.rstrip("0123").removesuffix("_new") for name in names]
    products = pl.DataFrame({"product_id": names, "category": category}).with_columns(
        category_path=pl.format("ALL > {}", "category"), is_bundleable=pl.lit(True),
        title=pl.col("category"), brand=pl.lit(None, pl.String), department=pl.lit("ALL"), baskets=pl.lit(0),
    )  # fmt: skip
    return baskets.with_columns(is_giant=pl.lit(False)), products


def test_what_is_first_sold_in_the_window_is_new_and_the_rest_is_known() -> None:
    baskets, products = shop()
    past, later = (baskets.filter(side) for side in (pl.col("basket_on") < CUT, pl.col("basket_on") >= CUT))
    new, evident = launched_in(past, later, products, 10)
    assert new["product_id"].to_list() == ["bread_new", "pasta_new", "soap_new"]
    assert evident.height == 27
    met = meetings(later, new, evident)
    assert not met.filter(pl.col("product_id") == "soap_new")["partner_id"].str.starts_with("butter").any()


def test_partners_meet_the_product_and_the_audience_buys_it() -> None:
    baskets, products = shop()
    found = {(one.kpi, one.variant): one for one in judge(baskets, products, CUT, 10, (2, 20), COMPARE, seed=1)}
    ours = found["partner_precision", SAME_CATEGORY]
    assert ours.value == 1.0 and ours.cases == 3, "two of sauce, butter or towel, all of which were met"
    assert found["partner_hit_rate", BEST_SELLERS].peer == BEST_SELLERS
    audience = found["audience_lift", "all"]
    assert audience.peer == FREQUENT
    assert audience.value > 2.5 > (audience.peer_value or 0), "one customer in three has the habit"


def test_a_window_without_a_launch_is_not_judged() -> None:
    baskets, products = shop()
    assert judge(baskets, products, CUT + timedelta(days=90), 10, (2, 20), COMPARE, seed=1) == []
    earlier = baskets.filter(pl.col("basket_on") < CUT)
    assert judge(earlier, products, CUT - timedelta(days=28), 10, (2, 20), COMPARE, seed=1) == []
