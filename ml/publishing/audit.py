"""Rules that hold a candidate run to the values it was started with, before anybody reads it.

What must hold for every run whatever its form (sums, certificates, stock, answers to everybody) stands in dbt,
with the audit tests; here is what only the form knows. Pure functions: each rule counts the rows that break it and
shows a few. They look at results only and share no code with the optimizer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ml.params import RunParams

TOLERANCE = 1e-9
"""Relative; what rounding in sums of a few probabilities may cost."""

EXAMPLES = 3


@dataclass(frozen=True)
class Check:
    """Outcome of one rule: how many rows break it, and which, in words."""

    name: str
    failures: int
    detail: str = ""

    @property
    def is_passed(self) -> bool:
        """Return whether no row breaks the rule."""
        return self.failures == 0


@dataclass(frozen=True)
class CandidateRun:
    """The rows of the run that is audited, and the products it was made from.

    Attributes
    ----------
    bundles, items, candidates
        Rows of ``ml.bundles``, ``ml.bundle_items`` and ``ml.candidates`` of one run.
    products
        Rows of ``features.ftr_products`` of the run's as-of date.
    """

    bundles: pl.DataFrame
    items: pl.DataFrame
    candidates: pl.DataFrame
    products: pl.DataFrame

    @property
    def offered(self) -> pl.DataFrame:
        """Return the bundles that are offered: all but the abstentions."""
        return self.bundles.filter(pl.col("status") != "abstained")

    @property
    def abstained(self) -> pl.DataFrame:
        """Return the rows that say why a customer gets no bundle."""
        return self.bundles.filter(pl.col("status") == "abstained")


def business_rules(run: CandidateRun, params: RunParams) -> list[Check]:
    """Return the outcome of every rule, passed ones too.

    Parameters
    ----------
    run
        Rows of the candidate run.
    params
        The values the run was started with: sizes, budget, quota and thresholds to hold it to.
    """
    broken = [*_bundles(run.offered, params), *_items(run, params)]
    return [
        Check(name, rows.height, "; ".join(str(row) for row in rows.head(EXAMPLES).rows())) for name, rows in broken
    ]


Broken = Iterator[tuple[str, pl.DataFrame]]


def _bundles(offered: pl.DataFrame, params: RunParams) -> Broken:
    """A bundle is what was asked for, and a certificate claims no more than its numbers carry."""
    yield (
        "run_was_made_as_asked",
        offered.filter((pl.col("policy") != params.policy) | (pl.col("solver") != params.solver)).select(
            "bundle_id", "policy", "solver"
        ),
    )
    yield (
        "bundles_per_customer_are_ranked_within_the_limit",
        offered.group_by("customer_id")
        .agg(pl.col("bundle_rank").sort(), pl.len())
        .filter(
            (pl.col("len") > params.bundles_per_customer)
            | (pl.col("bundle_rank") != pl.int_ranges(1, pl.col("len") + 1).cast(pl.List(pl.Int32)))
        )
        .select("customer_id", "len"),
    )
    yield (
        "bundle_size_is_kept",
        offered.filter(pl.col("bundle_size") > params.bundle_size).select("bundle_id", "bundle_size"),
    )
    yield (
        "budget_is_kept",
        offered.filter(pl.col("bundle_price_cents") > (params.budget_cents or 2**31 - 1)).select(
            "bundle_id", "bundle_price_cents"
        ),
    )
    yield (
        "offered_bundle_reaches_the_threshold",
        offered.filter(pl.col("joint_probability") < params.min_joint_probability * (1 - TOLERANCE)).select(
            "bundle_id", "joint_probability"
        ),
    )
    slack = TOLERANCE * pl.max_horizontal(pl.col("objective").abs(), pl.lit(1.0))
    yield (
        "optimal_means_the_bound_is_met",
        offered.filter((pl.col("status") == "optimal") & (pl.col("upper_bound") - pl.col("objective") > slack)).select(
            "bundle_id", "objective", "upper_bound"
        ),
    )


def _items(run: CandidateRun, params: RunParams) -> Broken:
    """A product was a candidate of its customer, is offered once, and meets no substitute beyond the quota."""
    items = run.items.join(run.bundles.select("bundle_id", "customer_id"), on="bundle_id")
    yield (
        "product_is_offered_once_to_a_customer",
        items.group_by("customer_id", "product_id").len().filter(pl.col("len") > 1).sort("customer_id", "product_id"),
    )
    yield (
        "item_was_a_candidate",
        items.join(run.candidates, on=["customer_id", "product_id"], how="anti").select("bundle_id", "product_id"),
    )
    yield (
        "category_quota_is_kept",
        items.join(run.products.drop_nulls("category"), on="product_id")
        .group_by("bundle_id", "category")
        .len()
        .filter(pl.col("len") > params.max_per_category)
        .sort("bundle_id"),
    )
