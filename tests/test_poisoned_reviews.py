"""A thousand five-star reviews by new accounts within an hour lift no product; counted like others they would."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from ml.preference.ranker import Ranker
from ml.settings import PreferenceSettings, Settings
from ml.sources.simulated_shop import FIRST_AS_OF, SimulatedShop, Size
from ml.training import Shop, examples, ranker_params
from tests.test_influence import candidates, shop

MOST_A_DAY = 20
THOUSAND = 1000
PLACES = 3
HOUR = FIRST_AS_OF - timedelta(days=1)
RULE = "dbt_project/models/intermediate/int_reviews_counted.yml"


def counting(reviews: pl.DataFrame, purchases: pl.DataFrame, most: int = MOST_A_DAY) -> pl.DataFrame:
    """Return the reviews that count, as ``int_reviews_counted`` decides it.

    Parameters
    ----------
    reviews
        review_id, product_id, customer_id, rating, reviewed_at, reviewed_on.
    purchases
        customer_id, product_id, ordered_on of what was bought, not sent back.
    """
    keys, place = ["customer_id", "product_id"], pl.int_range(pl.len())
    bought = purchases.drop_nulls("customer_id").group_by(keys).agg(bought_on=pl.col("ordered_on").min())
    by_buyers = reviews.join(bought, on=keys).filter(pl.col("bought_on") < pl.col("reviewed_on"))
    firsts = by_buyers.sort("reviewed_at", "review_id").filter(place.over(keys) == 0)
    return firsts.filter(place.over("product_id", "reviewed_on") < most).drop("bought_on")


def test_the_rule_here_is_the_rule_of_the_features(repository: Path) -> None:
    """The case that dbt's unit test works out by hand."""
    (case,) = yaml.safe_load((repository / RULE).read_text("utf-8"))["unit_tests"]
    given: list[list[dict[str, Any]]] = [one["rows"] for one in case["given"]]
    reviews, lines = (pl.DataFrame(rows, infer_schema_length=None) for rows in given)
    kept = counting(reviews, lines.filter(pl.col("quantity_units") > 0), case["overrides"]["vars"]["max_day_reviews"])
    wanted = {row["review_id"] for row in case["expect"]["rows"] if row["uncounted_reason"] is None}
    assert set(kept["review_id"]) == wanted


@cache
def written() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return reviews and purchases of the shop."""
    deliveries = SimulatedShop(Size(customers=250, products=560, days=100), 5).deliveries(FIRST_AS_OF, {})
    given = {one.table: one.records for one in deliveries}
    lines = given["order_items"].filter(pl.col("quantity") > 0).join(given["orders"], on="order_id")
    bought = lines.select("customer_id", "product_id", ordered_on=pl.col("ordered_at").dt.date())
    return dated(given["reviews"].select("review_id", "product_id", "customer_id", "rating", "reviewed_at")), bought


def dated(reviews: pl.DataFrame) -> pl.DataFrame:
    return reviews.with_columns(reviewed_on=pl.col("reviewed_at").dt.date())


def poisoned(product: str) -> pl.DataFrame:
    """Return the reviews of the shop with a thousand more."""
    names, reviews = [f"new {n}" for n in range(THOUSAND)], written()[0]
    stars = pl.DataFrame({"review_id": names, "product_id": [product] * THOUSAND, "customer_id": names}).with_columns(
        rating=pl.lit(5, pl.Int64),
        reviewed_at=pl.lit(HOUR).cast(reviews.schema["reviewed_at"]) + pl.duration(seconds=3 * pl.int_range(pl.len())),
        reviewed_on=pl.lit(HOUR),
    )
    return pl.concat([reviews, stars.select(reviews.columns)])


def reviewed(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the products with their reviews by day, as ``features.ftr_products`` has them."""
    days = reviews.group_by("product_id", "reviewed_on").agg(
        review_counts=pl.len().cast(pl.Int64), review_stars=pl.col("rating").sum()
    )
    lists = days.sort("reviewed_on").group_by("product_id").agg("reviewed_on", "review_counts", "review_stars")
    return shop()[1].join(lists, on="product_id", how="left", maintain_order="left")


@cache
def ranker() -> Ranker:
    """Return a ranker that learned from the shop before it happened."""
    settings = Settings(preference=PreferenceSettings(min_customer_baskets=4, trees=15, learning_rate=0.3))
    products = reviewed(counting(*written()))
    learned = examples(Shop(shop()[0], products), FIRST_AS_OF, settings)
    return Ranker(ranker_params(settings, seed=1)).fit(shop()[0], products, learned)


def places(products: pl.DataFrame) -> pl.DataFrame:
    """Return the place of each candidate among those of its customer."""
    asked = candidates(shop()[0])
    scored = asked.select("customer_id", "product_id", score=pl.Series(ranker().score(shop()[0], products, asked)))
    place = pl.col("score").rank("ordinal", descending=True).over("customer_id").cast(pl.Int64)
    return scored.select("customer_id", "product_id", place=place)


def moved(product: str, products: pl.DataFrame) -> int:
    """Return by how many places, at most, a product moved among the candidates of any customer."""
    keys = ["customer_id", "product_id"]
    both = (
        places(reviewed(counting(*written()))).join(places(products), on=keys).filter(pl.col("product_id") == product)
    )
    assert both.height > 50
    return int((both["place"] - both["place_right"]).abs().to_numpy().max())


@cache
def lifted() -> tuple[str, ...]:
    """Return products that many are asked about: one of the most, and two of the middle."""
    asked = candidates(shop()[0]).group_by("product_id").len().sort("len", "product_id")["product_id"]
    return asked[-1], asked[-30], asked[-100]


def test_a_thousand_reviews_by_new_accounts_move_no_product_by_three_places() -> None:
    for product in lifted():
        with_accounts = pl.DataFrame(
            {"customer_id": [f"new {n}" for n in range(THOUSAND)], "product_id": product, "ordered_on": HOUR}
        )
        for bought in (written()[1], pl.concat([written()[1], with_accounts])):  # those that buy in the same hour too
            assert moved(product, reviewed(counting(poisoned(product), bought))) < PLACES


def test_without_the_rule_they_would() -> None:
    assert max(moved(product, reviewed(poisoned(product))) for product in lifted()) >= PLACES


@pytest.mark.parametrize(("buyers", "counted"), [(5, 5), (THOUSAND, MOST_A_DAY)])
def test_buyers_of_earlier_days_count_but_not_without_limit(buyers: int, counted: int) -> None:
    product = lifted()[0]
    early = pl.DataFrame({"customer_id": [f"new {n}" for n in range(buyers)], "product_id": product})
    bought = early.with_columns(ordered_on=pl.lit(date(2017, 1, 2)))
    kept = counting(poisoned(product), pl.concat([written()[1], bought]))
    assert kept.filter(pl.col("customer_id").str.starts_with("new")).height == counted
