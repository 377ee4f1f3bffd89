"""What is known of the products' daily sales until a day, as one matrix, and which kind of demand each product has."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Reals = NDArray[np.float64]
HISTORY_DAYS = 364
"""Older sales say little of the next weeks; 52 weeks."""
NEW_DAYS = 28
"""With fewer known days a product's own sales say too little: it is new."""
LEVEL_DAYS = 28
SMOOTH, ERRATIC, INTERMITTENT, LUMPY, NEW = CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "new")
MANY_GAPS, MUCH_SPREAD = 1.32, 0.49
"""Mean days between sales, and squared coefficient of variation of a sale's units, that part the classes."""
PROMOTIONS = ("discount", "display", "mailer")


@dataclass(frozen=True)
class Sales:
    """Daily sales of products, and what else was known on the last of the days.

    Attributes
    ----------
    product_ids, categories
        (P,) the products, ascending, and the category of each, None where unknown.
    first_day
        Day of the first column.
    units
        (P, T) units sold by product and day. NaN where they are unknown: before the product was there, and on days on
        which it was not on the shelf. A day on the shelf without a sale is 0.
    prices
        (P, T) list price in cents as seen last; NaN where it was never seen.
    promotions
        ``product`` (place in ``product_ids``), ``kind``, ``starts_on``, ``ends_on``, ``size``.
    signals
        Rows of ``features.ftr_market_signals``; without rows where the shop has none.
    """

    product_ids: tuple[str, ...]
    categories: tuple[str | None, ...]
    first_day: date
    units: Reals
    prices: Reals
    promotions: pl.DataFrame
    signals: pl.DataFrame

    @property
    def last_day(self) -> date:
        """Return the day of the last column."""
        return self.first_day + timedelta(days=self.units.shape[1] - 1)

    @cached_property
    def known_days(self) -> NDArray[np.int64]:
        """Return (P,) on how many days the product was on the shelf."""
        return (~np.isnan(self.units)).sum(axis=1)

    @cached_property
    def classes(self) -> NDArray[np.str_]:
        """Return (P,) the kind of demand of each product, one of ``CLASSES``.

        Source
        ------
        Syntetos, Boylan and Croston (2005), On the categorization of demand patterns, J. Oper. Res. Soc. 56.
        """
        is_sold = np.nan_to_num(self.units) > 0
        sales = is_sold.sum(axis=1)
        gap = self.known_days / np.maximum(sales, 1)
        units = np.where(is_sold, np.nan_to_num(self.units), 0.0)
        mean = units.sum(axis=1) / np.maximum(sales, 1)
        spread = (np.where(is_sold, (units - mean[:, None]) ** 2, 0.0)).sum(axis=1) / np.maximum(sales, 1)
        is_gappy, is_wild = gap > MANY_GAPS, spread > MUCH_SPREAD * mean**2
        return np.select(
            [self.known_days < NEW_DAYS, ~is_gappy & ~is_wild, ~is_gappy, ~is_wild],
            [NEW, SMOOTH, ERRATIC, INTERMITTENT],
            LUMPY,
        )

    @cached_property
    def filled(self) -> Reals:
        """Return (P, T) units where days off the shelf, and those before the first, carry the level of the known days.

        The level is the mean of the known days among the 28 before, else of all. For methods that need every day.
        """
        known = ~np.isnan(self.units)
        units = np.nan_to_num(self.units)
        sums, days = (np.pad(np.cumsum(a, axis=1), ((0, 0), (LEVEL_DAYS + 1, 0))) for a in (units, known.astype(float)))
        width = self.units.shape[1]
        recent, counted = (a[:, LEVEL_DAYS : LEVEL_DAYS + width] - a[:, :width] for a in (sums, days))
        overall = units.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        level = np.where(counted > 0, recent / np.maximum(counted, 1), overall[:, None])
        return np.where(known, units, level)

    def level(self, days: int) -> Reals:
        """Return (P,) units a day over the last ``days`` as far as they are known; NaN where none is."""
        part = self.units[:, -days:]
        known = (~np.isnan(part)).sum(axis=1)
        return np.where(known > 0, np.nansum(part, axis=1) / np.maximum(known, 1), np.nan)

    def until(self, days_back: int) -> "Sales":
        """Return what was known ``days_back`` days earlier."""
        if not days_back:
            return self
        end = self.units.shape[1] - days_back
        last = self.first_day + timedelta(days=end - 1)
        # Promotions are known from the day before they begin.
        return replace(
            self,
            units=self.units[:, :end],
            prices=self.prices[:, :end],
            promotions=self.promotions.filter(pl.col("starts_on") <= last + timedelta(days=1)),
            signals=self.signals.filter(pl.col("signal_on") <= last),
        )

    def only(self, places: NDArray[np.int64]) -> "Sales":
        """Return the sales of the products at ``places``, ascending."""
        place_of = pl.DataFrame(
            {"product": places, "to": np.arange(len(places))}, schema_overrides={"product": pl.Int64}
        )
        promotions = self.promotions.join(place_of, on="product", how="inner", maintain_order="left")
        return replace(
            self,
            product_ids=tuple(self.product_ids[place] for place in places),
            categories=tuple(self.categories[place] for place in places),
            units=self.units[places],
            prices=self.prices[places],
            promotions=promotions.with_columns(product="to").drop("to"),
        )


def sales_of(
    product_days: pl.DataFrame,
    products: pl.DataFrame,
    stock_outs: pl.DataFrame,
    signals: pl.DataFrame,
    as_of: date,
) -> Sales:
    """Return the sales of ``products`` over the ``HISTORY_DAYS`` until ``as_of``.

    Where the shop counts no stock, a day on which a product was sold out cannot be told from one on which nobody wanted
    it: it counts as 0, and the forecasts are then of sales rather than of demand. A day that began with stock and ended
    without keeps its sales, which are the least that was wanted.

    Parameters
    ----------
    product_days
        Rows of ``features.ftr_product_days``.
    products
        ``product_id``, ``category``, ``launched_on`` and the promotions' lists of ``features.ftr_products``: those that
        are asked for.
    stock_outs
        Rows of ``features.ftr_stock_outs``; without rows where no stock is counted.
    signals
        Rows of ``features.ftr_market_signals``.
    """
    products = products.sort("product_id")
    first_day = as_of - timedelta(days=HISTORY_DAYS - 1)
    place = {product: number for number, product in enumerate(products["product_id"])}
    shape = len(place), HISTORY_DAYS
    sold = product_days.filter(pl.col("sold_on").is_between(first_day, as_of), pl.col("product_id").is_in(list(place)))
    rows, days = _places(sold["product_id"], place), _days(sold["sold_on"], first_day)
    units, prices = np.zeros(shape), np.full(shape, np.nan)
    units[rows, days] = sold["units"]
    prices[rows, days] = sold["price_cents"]
    units[_is_off_shelf(stock_outs, place, first_day, shape) & (units == 0)] = np.nan
    units[np.arange(HISTORY_DAYS) < _first_days(products, product_days, first_day)[:, None]] = np.nan
    begins = int((~np.isnan(units)).any(axis=0).argmax())
    return Sales(
        tuple(place),
        tuple(products["category"]),
        first_day + timedelta(days=begins),
        units[:, begins:],
        _carried(prices)[:, begins:],
        _promotions(products, place),
        signals.filter(pl.col("signal_on") <= as_of),
    )


def _places(product_ids: pl.Series, place: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([place[product] for product in product_ids], np.int64)


def _days(days: pl.Series, first_day: date) -> NDArray[np.int64]:
    return (days - first_day).dt.total_days().fill_null(HISTORY_DAYS).to_numpy().astype(np.int64)


def _first_days(products: pl.DataFrame, product_days: pl.DataFrame, first_day: date) -> NDArray[np.int64]:
    """Return (P,) the column of the first day each product was there: its launch, or a sale before; else the last."""
    first_sales = product_days.group_by("product_id").agg(first_sold_on=pl.col("sold_on").min())
    began = products.select("product_id", "launched_on").join(
        first_sales, on="product_id", how="left", maintain_order="left"
    )
    days = _days(began.select(pl.min_horizontal("launched_on", "first_sold_on")).to_series(), first_day)
    return np.clip(days, 0, HISTORY_DAYS - 1)


def _is_off_shelf(
    stock_outs: pl.DataFrame, place: Mapping[str, int], first_day: date, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return (P, T) whether the product was out of stock all day."""
    is_off = np.zeros(shape, np.bool_)
    for product, begins, ends in stock_outs.select("product_id", "out_from_on", "out_through_on").iter_rows():
        if product in place:
            is_off[place[product], max(0, (begins - first_day).days) : max(0, (ends - first_day).days + 1)] = True
    return is_off


def _carried(values: Reals) -> Reals:
    """Return each row with its gaps filled by the value before, and those before the first by the first."""
    forward = pl.DataFrame(values.T, strict=False).fill_nan(None)
    return forward.fill_null(strategy="forward").fill_null(strategy="backward").to_numpy().T.astype(np.float64)


def _promotions(products: pl.DataFrame, place: Mapping[str, int]) -> pl.DataFrame:
    lists = {f"promotion_{name}": name for name in ("kinds", "starts_on", "ends_on", "sizes")}
    return (
        products.select(pl.int_range(pl.len()).alias("product"), *lists)
        .rename({**lists, "promotion_kinds": "kind", "promotion_sizes": "size"})
        .explode("kind", "starts_on", "ends_on", "size")
        .drop_nulls("kind")
    )
