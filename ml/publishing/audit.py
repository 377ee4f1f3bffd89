"""Business rules that a candidate run must keep before anybody reads it.

Pure functions on the run's own rows and on the features of its as-of date: each rule counts the rows that break
it and shows a few. They look at results only and share no code with the optimizer.
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
    broken = [*_completeness(run, params), *_items(run, params), *_prices(run, params), *_certificates(run, params)]
    return [
        Check(name, rows.height, "; ".join(str(row) for row in rows.head(EXAMPLES).rows())) for name, rows in broken
    ]


Broken = Iterator[tuple[str, pl.DataFrame]]


def _completeness(run: CandidateRun, params: RunParams) -> Broken:
    """Everybody who has candidates has bundles or one row that says why not."""
    customers = run.candidates.select("customer_id").unique()
    yield "run_has_candidates", pl.DataFrame({"candidates": [0]} if customers.is_empty() else {})
    yield "every_customer_is_answered", customers.join(run.bundles, on="customer_id", how="anti").sort("customer_id")
    yield (
        "abstention_stands_alone_and_says_why",
        run.abstained.join(run.bundles.group_by("customer_id").len(), on="customer_id")
        .filter((pl.col("len") > 1) | (pl.col("bundle_size") != 0) | pl.col("fallback_reason").fill_null("").eq(""))
        .select("bundle_id", "customer_id"),
    )
    yield (
        "bundles_per_customer_are_ranked_within_the_limit",
        run.offered.group_by("customer_id")
        .agg(pl.col("bundle_rank").sort(), pl.len())
        .filter(
            (pl.col("len") > params.bundles_per_customer)
            | (pl.col("bundle_rank") != pl.int_ranges(1, pl.col("len") + 1).cast(pl.List(pl.Int32)))
        )
        .select("customer_id", "len"),
    )
    yield "offered_bundle_has_a_reason", run.offered.filter(pl.col("reason").fill_null("").eq("")).select("bundle_id")


def _items(run: CandidateRun, params: RunParams) -> Broken:
    """Every product of a bundle is a different one, was a candidate, and can be sold."""
    items = run.items.join(run.bundles.select("bundle_id", "customer_id"), on="bundle_id", how="left")
    known = items.join(run.products, on="product_id", how="left")
    size = run.bundles.join(run.items.group_by("bundle_id").len(), on="bundle_id", how="left").with_columns(
        pl.col("len").fill_null(0)
    )
    yield "item_belongs_to_a_bundle", items.filter(pl.col("customer_id").is_null()).select("bundle_id", "product_id")
    yield (
        "bundle_size_is_counted_and_allowed",
        size.filter(
            (pl.col("bundle_size") != pl.col("len"))
            | ((pl.col("status") != "abstained") & ~pl.col("bundle_size").is_between(2, params.bundle_size))
        ).select("bundle_id", "bundle_size", "len"),
    )
    yield (
        "product_is_offered_once_to_a_customer",
        items.group_by("customer_id", "product_id").len().filter(pl.col("len") > 1).sort("customer_id", "product_id"),
    )
    yield (
        "item_was_a_candidate",
        items.join(run.candidates, on=["customer_id", "product_id"], how="anti").select("bundle_id", "product_id"),
    )
    yield (
        "product_is_bundleable",
        known.filter(~pl.col("is_bundleable").fill_null(value=False)).select("bundle_id", "product_id"),
    )
    yield (
        "product_is_in_stock",
        known.filter(pl.col("available_units").fill_null(1) <= 0).select("bundle_id", "product_id", "available_units"),
    )
    yield (
        "category_quota_is_kept",
        known.drop_nulls("category")
        .group_by("bundle_id", "category")
        .len()
        .filter(pl.col("len") > params.max_per_category)
        .sort("bundle_id"),
    )


def _prices(run: CandidateRun, params: RunParams) -> Broken:
    """What a customer pays is the sum of its parts, and never more than their list prices."""
    sums = run.items.group_by("bundle_id").agg(pl.col("price_cents").sum(), pl.col("list_price_cents").sum())
    priced = run.offered.join(sums, on="bundle_id", how="left", suffix="_of_items")
    yield (
        "bundle_price_is_the_sum_of_its_items",
        priced.filter(
            pl.col("bundle_price_cents").ne_missing(pl.col("price_cents"))
            | pl.col("list_price_cents").ne_missing(pl.col("list_price_cents_of_items"))
        ).select("bundle_id", "bundle_price_cents", "price_cents"),
    )
    yield (
        "price_is_positive_and_not_above_list",
        run.items.filter((pl.col("price_cents") <= 0) | (pl.col("price_cents") > pl.col("list_price_cents"))).select(
            "bundle_id", "product_id", "price_cents", "list_price_cents"
        ),
    )
    yield (
        "budget_is_kept",
        run.offered.filter(pl.col("bundle_price_cents") > (params.budget_cents or 2**31 - 1)).select(
            "bundle_id", "bundle_price_cents"
        ),
    )


def _certificates(run: CandidateRun, params: RunParams) -> Broken:
    """A certificate claims no more than its numbers carry, and a probability is one."""
    slack = TOLERANCE * pl.max_horizontal(pl.col("objective").abs(), pl.lit(1.0))
    gap = pl.col("upper_bound") - pl.col("objective")
    yield (
        "bound_is_never_below_the_objective",
        run.offered.filter(gap < -slack).select("bundle_id", "objective", "upper_bound"),
    )
    yield (
        "optimal_means_the_bound_is_met",
        run.offered.filter((pl.col("status") == "optimal") & (gap > slack)).select(
            "bundle_id", "objective", "upper_bound"
        ),
    )
    yield (
        "status_is_known",
        run.bundles.filter(~pl.col("status").is_in(["optimal", "feasible", "abstained"])).select("bundle_id", "status"),
    )
    yield (
        "probability_lies_between_0_and_1",
        pl.concat(
            [
                run.candidates.filter(~pl.col("preference").is_between(0, 1)).select("customer_id", "product_id"),
                run.offered.filter(~pl.col("joint_probability").is_between(0, 1)).select(
                    "customer_id", product_id="bundle_id"
                ),
            ]
        ),
    )
    yield (
        "offered_bundle_reaches_the_threshold",
        run.offered.filter(pl.col("joint_probability") < params.min_joint_probability * (1 - TOLERANCE)).select(
            "bundle_id", "joint_probability"
        ),
    )
