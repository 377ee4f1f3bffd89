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
    # Bundles that had to leave stock to others come from the assignment of stock, whatever solver was asked for.
    solvers = [params.solver, "stock_coupled"] if params.couples_stock else [params.solver]
    yield (
        "run_was_made_as_asked",
        offered.filter((pl.col("policy") != params.policy) | ~pl.col("solver").is_in(solvers)).select(
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
    size, price = pl.col("bundle_size"), pl.col("bundle_price_cents")
    yield (
        "bundle_size_is_kept",
        offered.filter((size < params.min_bundle_size) | (size > params.bundle_size)).select(
            "bundle_id", "bundle_size"
        ),
    )
    yield (
        "budget_is_kept",
        offered.filter((price < params.min_price_cents) | (price > (params.budget_cents or 2**31 - 1))).select(
            "bundle_id", "bundle_price_cents"
        ),
    )
    least = params.min_margin_cents
    yield (
        "margin_floor_is_kept",
        offered.filter(pl.lit(least is not None) & (pl.col("margin_cents").fill_null(-(2**31)) < (least or 0))).select(
            "bundle_id", "margin_cents"
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
    """A product was a candidate of its customer, and bundles hold what the form wants in them."""
    items = run.items.join(run.bundles.select("bundle_id", "customer_id"), on="bundle_id")
    yield "bundles_of_a_customer_overlap_within_the_limit", _overlaps(items, params.max_overlap)
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
    categories = items.join(run.products.select("product_id", "category"), on="product_id").with_columns(
        pl.coalesce("category", "product_id").alias("category")
    )
    yield (
        "bundle_spans_enough_categories",
        categories.group_by("bundle_id")
        .agg(pl.col("category").n_unique())
        .filter(pl.col("category") < params.min_categories)
        .sort("bundle_id"),
    )
    is_bought = pl.col("sources").list.contains("bought")
    held = items.group_by("customer_id", "bundle_id").agg(
        "product_id", is_anchored=is_bought.any(), is_discovery=(~is_bought).any()
    )
    held = held.sort("bundle_id")
    product = pl.col("product_id")
    yield (
        "anchor_is_there",
        held.filter(pl.lit(params.needs_anchor) & ~pl.col("is_anchored")).select("bundle_id"),
    )
    # Seven of ten are 7, whatever 0.7 * 10 is in binary.
    enough = (params.discovery_share * pl.len() - TOLERANCE).ceil()
    yield (
        "share_of_discovery_is_kept",
        held.group_by("customer_id")
        .agg(pl.len(), found=pl.col("is_discovery").sum(), enough=enough)
        .filter(pl.col("found") < pl.col("enough"))
        .select("customer_id", "len", "found")
        .sort("customer_id"),
    )
    inside = list(params.context_basket)
    yield (
        "nothing_in_the_basket_is_offered_again",
        held.filter(product.list.set_intersection(inside).list.len() > 0).select("bundle_id"),
    )
    wanted, pinned, excluded = list(params.must_include), list(params.pinned), list(params.exclude)
    yield (
        "must_include_is_there",
        held.filter(pl.lit(bool(wanted)) & (product.list.set_intersection(wanted).list.len() == 0)).select("bundle_id"),
    )
    yield (
        "pinned_is_there",
        held.filter(product.list.set_intersection(pinned).list.len() < len(pinned)).select("bundle_id"),
    )
    yield (
        "excluded_is_not_there",
        held.filter(product.list.set_intersection(excluded).list.len() > 0).select("bundle_id"),
    )


def _overlaps(items: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return pairs of bundles of one customer that share more than ``most`` products."""
    other = items.select("customer_id", "product_id", other_id="bundle_id")
    shared = items.join(other, on=["customer_id", "product_id"]).filter(pl.col("bundle_id") < pl.col("other_id"))
    return shared.group_by("bundle_id", "other_id").len().filter(pl.col("len") > most).sort("bundle_id", "other_id")
