"""What each product needs until a reorder arrives: demand with its spread, and the stock that lasts so long."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.counts import expected_sold, quantile
from ml.demand.forecast import Forecast
from ml.demand.sales import Reals
from ml.params import RunParams

Ints = NDArray[np.int64]
CHECK_DAYS = 1
"""The plan is made anew each day, so stock that is not ordered for today has to last one day longer."""
LONGEST_DAYS = 91
"""Days that are written at most; reorders reckon with the whole lead time."""
NO_LEAD = 0
FROM_SUPPLIER, UNKNOWN_LEAD = "given by the shop", "not known"


@dataclass(frozen=True)
class ReplenishmentParams:
    """What a plan is made for; the fields are those of the form."""

    service_level: float
    review_days: int
    default_lead_days: int | None
    slow_mover_days: int
    assumed_cost_share: float | None

    @classmethod
    def of(cls, params: RunParams) -> "ReplenishmentParams":
        """Return the part of a run's form that this scenario reads."""
        return cls(**{name: getattr(params, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Needs:
    """Demand of each product until a reorder arrives.

    Attributes
    ----------
    forecast
        Base demand of the products.
    induced
        (P,) units a day that bundles bring on top.
    lead_days
        (P,) days from order to delivery; ``NO_LEAD`` where unknown.
    lead_notes
        (P,) where they come from, in words.
    params
        The form.
    """

    forecast: Forecast
    induced: Reals
    lead_days: Ints
    lead_notes: tuple[str, ...]
    params: ReplenishmentParams

    @property
    def covered_days(self) -> Ints:
        """Return (P,) the lead time and the days between orders."""
        return self.lead_days + self.params.review_days

    def demand(self, days: Ints) -> tuple[Reals, Reals]:
        """Return (P,) mean and (P,) variance of the units wanted over the first ``days`` of each product.

        What bundles bring is a Poisson count beside the base demand.
        """
        base, extra = self.forecast.total(days), self.induced * days
        return base + extra, self.forecast.spread.variance(base, days) + extra

    def level(self, days: Ints) -> Ints:
        """Return (P,) the units that demand over ``days`` stays at or below with the service level."""
        return np.ceil(quantile(self.params.service_level, *self.demand(days))).astype(np.int64)

    def sold(self, units: Ints) -> Reals:
        """Return (P,) units that so many on the shelf are expected to sell within the days they have to last."""
        return expected_sold(units, *self.demand(self.covered_days))

    def daily(self) -> Reals:
        """Return (P,) units a day, bundles included, over the days to cover."""
        return self.demand(self.covered_days)[0] / self.covered_days

    def forecast_rows(self, as_of: date) -> pl.DataFrame:
        """Return the rows of ``ml.demand_forecasts``, without the run: each product over the days to cover."""
        days = np.minimum(self.covered_days, LONGEST_DAYS)
        width = int(days.max(initial=1))
        product, ahead = np.nonzero(np.arange(width) < days[:, None])
        base, extra = self.forecast.daily(width), self.induced[:, None]
        variance = self.forecast.spread.variance(base, np.ones(len(base), np.int64)) + extra
        quantiles = {
            f"q{round(100 * level)}_units": quantile(level, (base + extra)[product, ahead], variance[product, ahead])
            for level in (0.1, 0.5, 0.9)
        }
        return pl.DataFrame(
            {
                "product_id": np.array(self.forecast.product_ids, dtype=object)[product],
                "ahead": ahead,
                "base_units": base[product, ahead],
                "bundle_units": self.induced[product],
                **quantiles,
                "model": self.forecast.models[product].astype(object),
            },
            schema_overrides={"product_id": pl.String, "model": pl.String},
        ).select(
            "product_id",
            (pl.lit(as_of + timedelta(days=1)) + pl.duration(days="ahead")).alias("forecast_on"),
            pl.exclude("product_id", "ahead"),
        )


def needs_of(forecast: Forecast, induced: pl.DataFrame, lead_times: pl.DataFrame, params: ReplenishmentParams) -> Needs:
    """Return the needs of the forecast's products.

    Parameters
    ----------
    induced
        Rows of :func:`ml.scenarios.replenishment.known.induced_units`.
    lead_times
        ``product_id``, ``lead_days``, ``supplier``, as ``features.ftr_lead_times``.
    """
    extra: Mapping[str, float] = dict(induced.select("product_id", "bundle_units_per_day").iter_rows())
    given = {product: (days, supplier) for product, days, supplier in
             lead_times.select("product_id", "lead_days", "supplier").iter_rows()}  # fmt: skip
    leads, notes = [], []
    for product in forecast.product_ids:
        days, supplier = given.get(product, (params.default_lead_days or NO_LEAD, None))
        leads.append(days)
        if product in given:
            notes.append(f"{FROM_SUPPLIER}, supplier {supplier}" if supplier else FROM_SUPPLIER)
        else:
            notes.append(f"assumed by the form: {days} days" if days else UNKNOWN_LEAD)
    units = np.array([extra.get(product, 0.0) for product in forecast.product_ids])
    return Needs(forecast, units, np.array(leads, np.int64), tuple(notes), params)
