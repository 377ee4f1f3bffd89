"""The best set of products and discounts within the budget, by a mixed-integer program with its bound.

Effects of products on each other are kept out of the sum by a quota for each category; so the value of a promotion is
the sum of its products', and the program is a knapsack with groups.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from ml.demand.deal import Deal
from ml.demand.price_response import units_ratio
from ml.params import RunParams
from ml.scenarios.rules import Rules

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]

STEP = 0.05
"""Between two discounts: shops print no others."""
MOST_NODES = 50_000
"""Of the search; what it leaves unproven shows as a gap. A limit of time would make results depend on the machine."""
LEAST_CATEGORIES = 2


@dataclass(frozen=True)
class Chosen:
    """A promotion.

    Attributes
    ----------
    rows
        Rows of :func:`options`, one a product; empty where there is none.
    objective, upper_bound
        Expected incremental margin in cents, and what no promotion exceeds.
    fault
        Why there is none, in words; None where there is one.
    """

    rows: pl.DataFrame
    objective: float
    upper_bound: float
    fault: str | None = None

    @property
    def gap_pct(self) -> float:
        """Return how far the objective may be below the best, in percent of the bound."""
        return 100 * (self.upper_bound - self.objective) / self.upper_bound if self.upper_bound > 0 else 0.0


def options(known: pl.DataFrame, rules: Rules, params: RunParams, deal: Deal) -> pl.DataFrame:
    """Return each product at each discount that keeps the margin floor, the floors of rules and the stock.

    Parameters
    ----------
    known
        Rows of :func:`ml.scenarios.cross_category.responses.responses` that may be promoted.

    Returns
    -------
    pl.DataFrame
        The columns of ``known`` and ``discount_share``, ``promoted_price_cents``, ``felt_share``, ``expected_units``,
        ``discount_cost_cents`` (on all units sold at the price, also those that would have been sold anyway),
        ``halo_margin_cents``, ``substituted_margin_cents``, ``pulled_margin_cents`` and ``margin_cents`` (the expected
        incremental margin); by product and discount.
    """
    steps = [round(STEP * n, 2) for n in range(1, int(params.max_discount_share / STEP + 1e-9) + 1)]
    grid = known.join(pl.DataFrame({"step": steps}, schema={"step": pl.Float64}), how="cross")
    floors = pl.DataFrame(list(rules.floor_cents.items()), {"product_id": pl.String, "floor": pl.Int64}, orient="row")
    least = pl.col("cost") / (1 - params.min_margin_share)
    grid = (
        grid.with_columns(promoted_price_cents=(pl.col("price_cents") * (1 - pl.col("step"))).round().cast(pl.Int32))
        .join(floors, on="product_id", how="left", maintain_order="left")
        .filter(
            pl.col("promoted_price_cents") < pl.col("price_cents"),
            pl.col("promoted_price_cents") >= pl.max_horizontal(least - 1e-9, pl.col("floor").fill_null(0), pl.lit(1)),
        )
        .with_columns(discount_share=1 - pl.col("promoted_price_cents") / pl.col("price_cents"))
    )
    valued = with_values(grid, deal)
    left = pl.col("available_units") - params.reserve_units
    return valued.filter(left.is_null() | (pl.col("expected_units") <= left)).sort("product_id", "promoted_price_cents")


def with_values(grid: pl.DataFrame, deal: Deal) -> pl.DataFrame:
    """Return rows of product and price with ``felt_share`` and what they are expected to bring."""
    paid = (grid["promoted_price_cents"] / grid["price_cents"]).to_numpy()
    grid = grid.with_columns(felt_share=pl.Series(deal.felt(paid)))
    expected, parts = values(grid, grid["elasticity"].to_numpy())
    return grid.with_columns(
        expected_units=pl.Series(expected), **{name: pl.Series(part) for name, part in parts.items()}
    )


def values(
    grid: pl.DataFrame, elasticity: Reals, scale: Mapping[str, Reals] | None = None
) -> tuple[Reals, dict[str, Reals]]:
    """Return expected units, and margins in cents by name, each of the shape of ``elasticity``.

    Parameters
    ----------
    elasticity
        (..., rows).
    scale
        Factors of ``taken_cents``, ``pulled_cents`` and ``halo_cents`` that broadcast to it; None: 1.
    """
    price, paid, cost, base = (
        grid[name].to_numpy().astype(float) for name in ("price_cents", "promoted_price_cents", "cost", "base_units")
    )
    taken, pulled, halo = (
        grid[name].to_numpy() * (1.0 if scale is None else scale[name])
        for name in ("taken_cents", "pulled_cents", "halo_cents")
    )
    expected = base * units_ratio(elasticity, grid["felt_share"].to_numpy())
    extra = expected - base
    own = extra * (paid - cost) - base * (price - paid)
    parts = {
        "discount_cost_cents": expected * (price - paid),
        "halo_margin_cents": extra * halo,
        "substituted_margin_cents": extra * taken,
        "pulled_margin_cents": extra * pulled,
    }
    parts["margin_cents"] = own + extra * (halo - taken - pulled)
    return expected, parts


def choose(offered: pl.DataFrame, rules: Rules, params: RunParams) -> Chosen:
    """Return the promotion of the highest expected incremental margin; none where that is not above 0."""
    nothing = offered.clear()
    asked = LEAST_CATEGORIES if len(params.promotion_categories) != 1 else 1
    groups = offered["group"].n_unique()
    if groups < asked:
        fault = f"not possible: products of {groups} categories may be promoted, {asked} are needed"
        return Chosen(nothing, 0.0, 0.0, fault)
    # The last variable counts the products, so that what stands outside a category is a short row.
    found = milp(
        -np.append(offered["margin_cents"].to_numpy(), 0.0),
        constraints=_constraints(offered, rules, params, asked),
        integrality=np.ones(offered.height + 1),
        bounds=Bounds(0, np.append(np.ones(offered.height), params.promotion_products)),
        options={"node_limit": MOST_NODES, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        fault = "not possible: no promotion keeps the budget, the limits and the rules at once"
        return Chosen(nothing, 0.0, 0.0, fault)
    rows = offered.filter(pl.Series(found.x[:-1] > 0.5))
    objective = math.fsum(rows["margin_cents"])
    bound = max(objective, -float(found.mip_dual_bound))
    if objective <= 0:
        fault = f"not worth it: the best promotion is expected to bring {objective / 100:.2f}"
        return Chosen(nothing, 0.0, max(bound, 0.0), fault)
    return Chosen(rows, objective, bound)


def _constraints(offered: pl.DataFrame, rules: Rules, params: RunParams, asked: int) -> list[LinearConstraint]:
    """Return budget, one price a product, products in all and by category, categories in all, and the rules."""
    product = offered["product_id"].rle_id().cast(pl.Int64).to_numpy()
    group = offered["group"].rank("dense").cast(pl.Int64).to_numpy() - 1
    groups, ones = int(group.max()) + 1, np.ones(offered.height)
    pinned = offered["product_id"].is_in(rules.pinned).to_numpy()
    lowest = np.zeros(int(product.max()) + 1)
    lowest[product[pinned]] = 1
    held = offered.filter(pl.Series(pinned)).unique("product_id").group_by("group").len()["len"]
    quota = max(1, math.ceil(params.promotion_products / groups), *held)
    cost, one_row = offered["discount_cost_cents"].to_numpy(), np.zeros(offered.height, np.int64)
    wanted = [
        LinearConstraint(_rows(one_row, cost, 0.0), -np.inf, params.promotion_budget_cents),
        LinearConstraint(_rows(one_row, ones, -1.0), 0, 0),
        LinearConstraint(_rows(product, ones, 0.0), lowest, 1),
        LinearConstraint(_rows(group, ones, 0.0), 0, quota),
    ]
    if asked > 1:
        wanted.append(LinearConstraint(_rows(group, -ones, 1.0), 1, np.inf))
    required = offered["product_id"].is_in(rules.must_include).to_numpy()
    if required.any():
        wanted.append(LinearConstraint(_rows(one_row, required.astype(float), 0.0), 1, np.inf))
    return wanted


def _rows(row: Codes, value: Reals, count: float) -> csr_array:
    """Return a matrix with each variable in its own row, and the count of products with one coefficient in all."""
    rows = int(row.max()) + 1
    columns = np.append(np.arange(len(row)), np.full(rows, len(row)))
    whole = (np.append(value, np.full(rows, count)), (np.append(row, np.arange(rows)), columns))
    return csr_array(whole, shape=(rows, len(row) + 1))
