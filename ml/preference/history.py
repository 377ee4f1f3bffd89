"""Baskets as arrays: who bought what on which day, by number instead of by name."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.influence import counted
from ml.preference.offers import PROMOTIONS, REVIEWS, Offers

Ints = NDArray[np.int64]
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class History:
    """All purchase lines, ordered by customer, day, product; lines without a customer come first (customer -1).

    Attributes
    ----------
    customers, products
        Sorted ids; a number is a position in them. Products are those of the catalogue and those sold.
    customer, day, basket, product
        (lines,) numbers; days since 1970; baskets are numbered in line order.
    units, cents
        (lines,) units sold and cents paid.
    is_giant
        (lines,) whether the line's basket is giant.
    starts
        (customers + 1,) first line of each customer, and the end.
    category, brand
        (products,) numbers; products without one share number 0.
    offers
        Promotions and reviews, where the products bring them.
    """

    customers: pl.Series
    products: pl.Series
    customer: Ints
    day: Ints
    basket: Ints
    product: Ints
    units: Ints
    cents: Ints
    is_giant: NDArray[np.bool_]
    starts: Ints
    category: Ints
    brand: Ints
    offers: Offers

    @classmethod
    def of(cls, baskets: pl.DataFrame, products: pl.DataFrame) -> "History":
        """Encode ``features.ftr_baskets`` and of ``features.ftr_products`` what does not change or carries its days."""
        columns = {"product_id": "product_ids", "units": "quantities", "cents": "paid_cents"}
        lines = (
            baskets.select("basket_id", "customer_id", "basket_on", "is_giant", **columns)
            .explode("product_id", "units", "cents")
            .sort("customer_id", "basket_on", "basket_id", "product_id", nulls_last=False)
        )
        product_ids = pl.concat([products["product_id"], lines["product_id"]]).unique().drop_nulls().sort()
        customer_ids = lines["customer_id"].unique().drop_nulls().sort()
        customer = positions(lines["customer_id"], customer_ids)
        catalogue = pl.DataFrame({"product_id": product_ids}).join(
            products.select("product_id", "category", "brand", *_present(products)),
            on="product_id",
            how="left",
            maintain_order="left",
        )
        return cls(
            customers=customer_ids,
            products=product_ids,
            customer=customer,
            day=days(lines["basket_on"]),
            basket=lines["basket_id"].rle_id().to_numpy().astype(np.int64),
            product=positions(lines["product_id"], product_ids),
            units=lines["units"].to_numpy().astype(np.int64),
            cents=lines["cents"].to_numpy().astype(np.int64),
            is_giant=lines["is_giant"].to_numpy(),
            starts=np.searchsorted(customer, np.arange(len(customer_ids) + 1)),
            category=_numbers(catalogue["category"]),
            brand=_numbers(catalogue["brand"]),
            offers=Offers.of(catalogue),
        )


def teaching(history: History, cut: int) -> NDArray[np.bool_]:
    """Return which lines dated before day ``cut`` teach about everybody, (lines,).

    Not those of giant baskets, nor of baskets that :func:`ml.influence.counted` leaves out; all stay their customer's.
    """
    first = np.flatnonzero(np.diff(history.basket, prepend=-1))  # lines of a basket stand together
    first = first[(history.day[first] < cut) & ~history.is_giant[first]]
    owner = pl.Series("customer_id", history.customer[first])
    baskets = pl.DataFrame([owner.set(owner < 0, None), pl.Series("basket", history.basket[first])])
    is_counted = np.zeros(int(history.basket.max(initial=-1)) + 1, bool)
    is_counted[counted(baskets)["basket"].to_numpy()] = True
    return np.asarray(is_counted[history.basket])


def positions(names: pl.Series, among: pl.Series) -> Ints:
    """Return where each name stands in the sorted names ``among``; -1 where it does not."""
    known = pl.DataFrame({"name": among}).with_row_index("at")
    found = pl.DataFrame({"name": names}).join(known, on="name", how="left", maintain_order="left")["at"]
    return found.cast(pl.Int64).fill_null(-1).to_numpy()


def days(dates: pl.Series) -> Ints:
    """Return days since 1970."""
    return dates.cast(pl.Int32).to_numpy().astype(np.int64)


def _present(products: pl.DataFrame) -> list[str]:
    return [name for name in (*PROMOTIONS, *REVIEWS) if name in products.columns]


def _numbers(labels: pl.Series) -> Ints:
    return positions(labels, labels.drop_nulls().unique().sort()) + 1
