"""A small shop whose customers have tastes: enough for every model to learn from in a second."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

FIRST = date(2017, 1, 1)
CUT = date(2017, 7, 10)


@dataclass(frozen=True)
class World:
    """Baskets, products, and candidates of several requests with their answers."""

    baskets: pl.DataFrame
    products: pl.DataFrame
    examples: pl.DataFrame


def basket(customer: str | None, on: date, products: list[str], cents: int = 100) -> dict[str, object]:
    """Return a row of ``features.ftr_baskets`` with one unit of each product."""
    return {
        "basket_id": f"{customer}:{on}",
        "customer_id": customer,
        "basket_on": on,
        "product_ids": products,
        "quantities": [1] * len(products),
        "paid_cents": [cents] * len(products),
        "is_giant": False,
    }


def catalogue(*names: str) -> pl.DataFrame:
    """Return rows of ``features.ftr_products``: two categories, three brands."""
    return pl.DataFrame(
        {
            "product_id": list(names),
            "category": [f"category {k % 2}" for k in range(len(names))],
            "brand": [f"brand {k % 3}" for k in range(len(names))],
        }
    )


def everything(customers: list[str], products: list[str], cut: date) -> pl.DataFrame:
    """Return all pairs as candidates."""
    pairs = pl.DataFrame({"customer_id": customers}).join(pl.DataFrame({"product_id": products}), how="cross")
    zero = pl.lit(0.0, pl.Float32)
    return pairs.with_columns(cut=pl.lit(cut), co_purchase=zero, co_purchase_last=zero)


@pytest.fixture(scope="session")
def world() -> World:
    """Return 40 customers who each buy four favourites of 20 products often and the rest seldom."""
    draw = np.random.default_rng(3)
    names = [f"p{k:02d}" for k in range(20)]
    rows = []
    for k in range(40):
        chance = np.full(20, 0.04)
        chance[draw.choice(20, 4, replace=False)] = 0.5
        for visit in range(40):
            on = FIRST + timedelta(days=5 * visit + int(draw.integers(0, 4)))
            bought = [name for name, p in zip(names, chance, strict=True) if draw.random() < p]
            if bought:
                rows.append(basket(f"c{k:02d}", on, bought, int(draw.integers(50, 500))))
    baskets = pl.DataFrame(rows)
    parts = []
    for back, cut in enumerate((CUT - timedelta(days=28), CUT - timedelta(days=56), CUT - timedelta(days=84))):
        targets = baskets.filter(pl.col("basket_on") >= cut).sort("basket_on").group_by("customer_id").first()
        bought = targets.select("customer_id", product_id="product_ids", is_bought=True).explode("product_id")
        made = everything([f"c{k:02d}" for k in range(40)], names, cut).join(
            bought, on=["customer_id", "product_id"], how="left", maintain_order="left"
        )
        parts.append(made.with_columns(pl.col("is_bought").fill_null(False), is_validation=pl.lit(back == 0)))
    return World(baskets, catalogue(*names), pl.concat(parts))
