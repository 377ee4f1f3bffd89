"""Prices, promotions and signals of the simulated market: functions of the seed and the day alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from ml.sources.simulated_shop.truth import Flags, Floats, Ints, Truth

PRICE_BLOCK_DAYS = 56
"""List prices are set anew this often."""
SHARES = (0.10, 0.15, 0.20, 0.25, 0.30)
PROMOTED = {"discount": 0.08, "display": 0.06, "mailer": 0.05}
"""Share of the catalogue in a promotion of each kind in any week."""


@dataclass(frozen=True)
class Week:
    """Promotions of one week, Monday to Sunday, by product."""

    starts_on: date
    discount_share: Floats
    display_stores: Ints
    mailer_stores: Ints


class Market:
    """What the shop asks and what the market does, day by day."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._week = lru_cache(maxsize=4)(self._draw_week)
        self._block = lru_cache(maxsize=4)(self._draw_block)

    def list_price(self, day: date) -> Ints:
        """Return the list price in cents by product, (P,), before any discount."""
        return self._block(day.toordinal() // PRICE_BLOCK_DAYS)

    def week(self, day: date) -> Week:
        """Return the promotions of the week that holds ``day``."""
        return self._week((day.toordinal() - 1) // 7)

    def is_listed(self, day: date, ahead_days: int = 0) -> Flags:
        """Return by product, (P,), whether it is launched within ``ahead_days`` of ``day``."""
        listed: Flags = self.truth.launch_day <= (day - self.truth.first_day).days + ahead_days
        return listed

    def promotions(self, since: date, through: date) -> pl.DataFrame:
        """Return the promotions of listed products that begin after ``since`` and not after ``through``."""
        frames = [_promotion_rows(self, week) for week in self._mondays(since, through)]
        return pl.concat(frames) if frames else _promotion_rows(self, self.week(through)).clear()

    def signals(self, since: date, through: date) -> pl.DataFrame:
        """Return each Monday's demand by need (1 = usual) and a competitor's price in cents of every fifth product."""
        frames = [self._signal_rows(week.starts_on) for week in self._mondays(since, through)]
        return pl.concat(frames) if frames else self._signal_rows(through).clear()

    def _mondays(self, since: date, through: date) -> Iterator[Week]:
        day = since + timedelta(days=1)
        day += timedelta(days=-day.weekday() % 7)
        while day <= through:
            yield self.week(day)
            day += timedelta(days=7)

    def _draw_week(self, number: int) -> Week:
        rng = np.random.default_rng([self.truth.seed, 2, number])
        products = len(self.truth.need_of)
        share = np.where(rng.random(products) < PROMOTED["discount"], rng.choice(SHARES, products), 0.0)
        display = np.where(rng.random(products) < PROMOTED["display"], rng.integers(1, 40, products), 0)
        mailer = np.where(rng.random(products) < PROMOTED["mailer"], rng.integers(1, 40, products), 0)
        return Week(date.fromordinal(number * 7 + 1), share, display, mailer)

    def _draw_block(self, number: int) -> Ints:
        rng = np.random.default_rng([self.truth.seed, 3, number])
        change = rng.normal(1.0, 0.05, len(self.truth.need_of)).clip(0.85, 1.15)
        price: Ints = np.maximum(np.round(self.truth.price_cents * change), 10).astype(np.int64)
        return price

    def _signal_rows(self, day: date) -> pl.DataFrame:
        truth = self.truth
        rng = np.random.default_rng([truth.seed, 4, day.toordinal()])
        weight = truth.mission_taste.mean(axis=0)
        usual, now = weight @ truth.missions, (weight * truth.season(day)) @ truth.missions
        demand = np.where(usual > 0, now / np.maximum(usual, 1e-12), 1.0) * rng.lognormal(0, 0.05, len(usual))
        watched = np.flatnonzero(self.is_listed(day))[::5]
        rival = self.list_price(day)[watched] * rng.normal(1.0, 0.06, len(watched)).clip(0.8, 1.2)
        first_of_need = truth.choices[:, 0]
        return pl.concat(
            [
                pl.DataFrame(
                    {
                        "kind": ["category_demand"] * len(demand),
                        "category": [truth.department(int(product))[1] for product in first_of_need],
                        "product_id": pl.Series([None] * len(demand), dtype=pl.String),
                        "value": demand.round(4),
                    }
                ),
                pl.DataFrame(
                    {
                        "kind": ["competitor_price"] * len(watched),
                        "category": pl.Series([None] * len(watched), dtype=pl.String),
                        "product_id": [truth.product_ids[j] for j in watched],
                        "value": rival.round(),
                    }
                ),
            ]
        ).select(
            pl.format("M{}-{}", pl.lit(f"{day:%Y%m%d}"), pl.int_range(pl.len())).alias("signal_id"),
            pl.lit(day).alias("signal_on"),
            "kind",
            "category",
            "product_id",
            "value",
        )


def _promotion_rows(market: Market, week: Week) -> pl.DataFrame:
    listed = market.is_listed(week.starts_on)
    frames = []
    for kind, strength in (
        ("discount", week.discount_share),
        ("display", week.display_stores.astype(float)),
        ("mailer", week.mailer_stores.astype(float)),
    ):
        products = np.flatnonzero(listed & (strength > 0))
        is_discount = kind == "discount"
        none = pl.Series([None] * len(products))
        frames.append(
            pl.DataFrame(
                {
                    "promotion_id": [f"{kind}-{week.starts_on:%Y%m%d}-{j}" for j in products],
                    "product_id": [market.truth.product_ids[j] for j in products],
                    "kind": [kind] * len(products),
                    "discount_share": (pl.Series(strength[products]) if is_discount else none).cast(pl.Float64),
                    "store_count": (none if is_discount else pl.Series(strength[products])).cast(pl.Int64),
                    "starts_on": [week.starts_on] * len(products),
                    "ends_on": [week.starts_on + timedelta(days=6)] * len(products),
                },
                schema_overrides={
                    "promotion_id": pl.String,
                    "product_id": pl.String,
                    "kind": pl.String,
                    "starts_on": pl.Date,
                    "ends_on": pl.Date,
                },
            )
        )
    return pl.concat(frames)
