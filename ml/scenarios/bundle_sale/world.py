"""What the sale is planned with: products with costs, how demand follows prices, candidates and their joint demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.association.cooccurrence import CooccurrenceParams
from ml.demand.quantity import Quantity
from ml.demand.side_effects import SideEffects, rival_margin
from ml.params import RunParams
from ml.scenarios.bundle_sale.candidates import Candidate
from ml.scenarios.bundle_sale.joint import PRIOR_BASKETS, RECENT_DAYS, JointDemand, joint_demand, price_sensitive
from ml.scenarios.bundle_sale.pricing import Demand, Parts
from ml.scenarios.rules import Rules

NORMAL_95 = 1.959964
"""Half of a normal 95 % interval in standard deviations."""
LEVELS = ("product", "category", "shop")
"""Of elasticities, the finest first."""


@dataclass(frozen=True)
class World:
    """The day's data for a sale, read once.

    Attributes
    ----------
    as_of, params, counting
        Day, form, and how the shop's lifts are shrunk.
    products
        Rows of ``features.ftr_products``.
    bundles, items, preferences, pairs
        Of the personal run: rows of ``ml.bundles`` (no abstentions), ``ml.bundle_items``, ``ml.candidates``,
        ``ml.associations``.
    baskets, product_days
        Rows of ``features.ftr_baskets`` and ``features.ftr_product_days``.
    elasticity
        From :func:`ml.demand.price_response.elasticities`.
    effects
        From :func:`ml.demand.side_effects.side_effects`; ``UNTOLD`` where the shop's discounts tell nothing.
    level
        From :func:`ml.demand.level.usual_level`.
    quantity
        From :func:`ml.demand.quantity.quantity_response`.
    """

    as_of: date
    params: RunParams
    counting: CooccurrenceParams
    products: pl.DataFrame
    bundles: pl.DataFrame
    items: pl.DataFrame
    preferences: pl.DataFrame
    pairs: pl.DataFrame
    baskets: pl.DataFrame
    product_days: pl.DataFrame
    elasticity: pl.DataFrame
    effects: SideEffects
    level: pl.DataFrame
    quantity: Quantity

    def joint(self, candidates: Sequence[Candidate]) -> JointDemand:
        """Return the joint demand of the candidates without a sale."""
        sensitive = price_sensitive(self.baskets, self.product_days)
        return joint_demand(
            candidates, self.preferences, self.pairs, self.baskets, sensitive, self.as_of, self.counting
        )


def with_costs(products: pl.DataFrame, assumed_share: float | None) -> pl.DataFrame:
    """Return the products that can be sold at a margin, with ``cost_cents`` and ``is_cost_assumed``.

    Bundleable, with a price, in stock where stock is counted; without a cost only if one is assumed.
    """
    assumed = pl.lit(None, pl.Float64) if assumed_share is None else pl.col("price_cents") * assumed_share
    return (
        products.filter(pl.col("is_bundleable"), pl.col("price_cents") > 0, pl.col("available_units").fill_null(1) > 0)
        .with_columns(
            is_cost_assumed=pl.col("cost_cents").is_null(),
            cost_cents=pl.coalesce(pl.col("cost_cents").cast(pl.Float64), assumed),
        )
        .drop_nulls("cost_cents")
    )


@dataclass(frozen=True)
class Facts:
    """What is known of each product that can be sold, by product.

    Attributes
    ----------
    row
        Columns of :func:`with_costs` with ``elasticity``, ``elasticity_error``, ``level``, ``rival_margin_cents``,
        ``units_per_basket``, ``level_ratio`` and ``source``.
    floor_cents
        Of the rules.
    effects, quantity
        Of the shop.
    """

    row: dict[str, dict[str, object]]
    floor_cents: dict[str, int]
    effects: SideEffects
    quantity: Quantity

    @classmethod
    def of(cls, world: World, sellable: pl.DataFrame, rules: Rules) -> "Facts":
        """Return the facts of the sellable products."""
        error = ((pl.col("high") - pl.col("low")) / (2 * NORMAL_95)).alias("elasticity_error")
        units = world.product_days.group_by("product_id").agg(pl.col("units").sum())
        margin = pl.col("price_cents") - pl.col("cost_cents")
        rivals = (
            sellable.join(units, on="product_id", how="left")
            .with_columns(group=pl.coalesce("category", "product_id"), units=pl.col("units").fill_null(0))
            .select("product_id", rival_margin_cents=rival_margin(margin, pl.col("units")).over("group"))
        )
        rows = (
            sellable.join(world.elasticity.select("product_id", "elasticity", error, "level"), on="product_id")
            .join(rivals, on="product_id")
            .join(units_per_basket(world.baskets), on="product_id", how="left")
            .join(world.level, on="product_id", how="left")
            .with_columns(
                pl.col("level_ratio", "units_per_basket").fill_null(1.0), pl.col("source").fill_null("recent_mean")
            )
        )
        return cls(
            {str(row["product_id"]): row for row in rows.iter_rows(named=True)},
            dict(rules.floor_cents),
            world.effects,
            world.quantity,
        )

    def parts(self, candidate: Candidate, missing_units: np.ndarray) -> Parts:
        """Return the products of a bundle as arrays."""

        def column(name: str) -> np.ndarray:
            return np.array([self.row[product][name] for product in candidate.product_ids], np.float64)

        taken, pulled, _ = self.effects.believed()
        alike = np.ones(len(candidate.product_ids))
        floors = np.array([self.floor_cents.get(product, 0) for product in candidate.product_ids], np.int64)
        return Parts(
            column("price_cents").astype(np.int64),
            column("cost_cents"),
            floors,
            missing_units,
            column("elasticity"),
            column("elasticity_error"),
            taken * alike,
            self.effects.taken.spread * alike,
            column("rival_margin_cents"),
            pulled * alike,
            self.effects.pulled.spread * alike,
            column("units_per_basket"),
            self.quantity,
        )

    def margin_share(self, candidate: Candidate) -> float:
        """Return what the bundle leaves at its list price, as a share of it."""
        parts = self.parts(candidate, np.zeros(len(candidate.product_ids)))
        return float(1 - parts.cost_cents.sum() / parts.list_cents.sum())

    def stock(self, candidate: Candidate, reserve_units: int) -> float:
        """Return how many bundles the stock less the reserve allows; infinite where it is not counted."""
        units = [self.row[product]["available_units"] for product in candidate.product_ids]
        counted = [max(int(one) - reserve_units, 0) for one in units if one is not None]  # type: ignore[call-overload]
        return float(min(counted, default=np.inf))

    def level(self, candidate: Candidate) -> str:
        """Return the coarsest level that an elasticity of the bundle's products rests on."""
        return max((str(self.row[product]["level"]) for product in candidate.product_ids), key=LEVELS.index)

    def level_ratio(self, candidate: Candidate) -> float:
        """Return the geometric mean of what the products sell in the days to come over what they sold of late."""
        ratios = [float(self.row[product]["level_ratio"]) for product in candidate.product_ids]  # type: ignore[arg-type]
        return float(np.exp(np.mean(np.log(ratios))))


def units_per_basket(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return ``product_id`` and ``units_per_basket``, the mean units in a basket that holds the product, >= 1."""
    lines = baskets.filter(~pl.col("is_giant")).select("quantities", product_id="product_ids")
    held = lines.explode("product_id", "quantities").group_by("product_id")
    return held.agg(units_per_basket=pl.col("quantities").mean().clip(lower_bound=1.0))


def demand_of(expected: float, seen: float, sets: float, level_ratio: float, days: int, stock_units: float) -> Demand:
    """Return the bundles that sell in the days of the sale at list prices, as a gamma distribution.

    What the preferences make one expect, corrected by what was seen: a gamma prior worth ``PRIOR_BASKETS`` baskets and
    Poisson counts. Where nothing is expected and nothing was seen the mean is all but 0.

    Source
    ------
    Robbins (1956), An empirical Bayes approach to statistics, Berkeley Symposium 1; gamma-Poisson conjugacy.
    """
    shape = PRIOR_BASKETS + seen
    baskets = shape / (PRIOR_BASKETS / max(expected, 1e-6) + 1.0)
    return Demand(shape, baskets * sets * level_ratio * days / RECENT_DAYS, stock_units)
