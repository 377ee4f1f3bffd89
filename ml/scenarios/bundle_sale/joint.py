"""How many baskets would hold all products of a bundle without any sale: what customers prefer, and what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.association.cooccurrence import CooccurrenceParams, shrunk_lift
from ml.scenarios.bundle_sale.candidates import Candidate

Reals = NDArray[np.float64]

RECENT_DAYS = 84
"""Twelve weeks: what is bought now, with enough of it."""
PRIOR_BASKETS = 3.0
"""What the preferences say of a bundle counts as much as so many baskets seen: a set is a candidate because it looked
good, so a few lucky baskets must not speak alone."""
NEAR_LIST = 0.97
"""Of the list price: a unit paid with less was bought at a discount; rounding lies above."""
LEAST_LINES = 10
"""Purchases of a customer before a share of discounts says anything."""


@dataclass(frozen=True)
class JointDemand:
    """Of each candidate, in ``RECENT_DAYS`` days without a sale.

    Attributes
    ----------
    expected, seen
        (candidates,) baskets that hold the whole bundle: by the preferences, and in the data.
    sets
        (candidates,) bundles in such a basket, >= 1.
    missing
        Of each candidate, (parts,) baskets seen that hold all but that part.
    sensitive_share
        (candidates,) share of ``expected`` that price-sensitive customers make.
    """

    expected: Reals
    seen: Reals
    sets: Reals
    missing: list[Reals]
    sensitive_share: Reals


def joint_demand(
    candidates: Sequence[Candidate],
    preferences: pl.DataFrame,
    pairs: pl.DataFrame,
    baskets: pl.DataFrame,
    sensitive: pl.DataFrame,
    as_of: date,
    counting: CooccurrenceParams,
) -> JointDemand:
    """Return the joint demand of the candidates.

    Parameters
    ----------
    preferences
        Rows of ``ml.candidates``: P of each customer's likeliest products.
    pairs
        Rows of ``ml.associations``; the lift is shrunk by ``counting``. A pair without a row is taken for independent.
    baskets
        Rows of ``features.ftr_baskets``.
    sensitive
        ``customer_id`` of the price-sensitive, see :func:`price_sensitive`.
    """
    recent = baskets.filter(pl.col("basket_on") > as_of - timedelta(days=RECENT_DAYS), ~pl.col("is_giant"))
    trips = recent.drop_nulls("customer_id").group_by("customer_id").agg(trips=pl.len())
    chance = _chances(candidates, preferences, pairs, counting).join(trips, on="customer_id")
    chance = chance.join(sensitive.with_columns(is_sensitive=pl.lit(True)), on="customer_id", how="left")
    wanted = pl.col("joint") * pl.col("trips")
    own = (
        chance.sort("bundle", "customer_id")
        .group_by("bundle", maintain_order=True)
        .agg(expected=wanted.sum(), sensitive=wanted.filter(pl.col("is_sensitive").fill_null(value=False)).sum())
    )
    expected, by_sensitive = (_by_bundle(own, name, len(candidates)) for name in ("expected", "sensitive"))
    seen, sets, missing = _seen(candidates, recent)
    share = np.divide(by_sensitive, expected, out=np.zeros(len(candidates)), where=expected > 0)
    return JointDemand(expected, seen, sets, missing, share)


def price_sensitive(baskets: pl.DataFrame, product_days: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_id`` of those who buy at a discount more often than the median customer does.

    A customer's share: of the own purchases, those paid below the product's list price of the day. Customers of few
    purchases belong to neither segment, and nobody is priced by it.
    """
    lines = (
        baskets.drop_nulls("customer_id")
        .select("customer_id", "product_ids", "quantities", "paid_cents", sold_on="basket_on")
        .explode("product_ids", "quantities", "paid_cents")
        .rename({"product_ids": "product_id"})
        .join(product_days.select("product_id", "sold_on", "price_cents"), on=["product_id", "sold_on"])
    )
    is_cheaper = pl.col("paid_cents") < NEAR_LIST * pl.col("price_cents") * pl.col("quantities")
    shares = lines.group_by("customer_id").agg(share=is_cheaper.mean(), lines=pl.len())
    shares = shares.filter(pl.col("lines") >= LEAST_LINES)
    return shares.filter(pl.col("share") > pl.col("share").median()).select("customer_id").sort("customer_id")


def _chances(
    candidates: Sequence[Candidate], preferences: pl.DataFrame, pairs: pl.DataFrame, counting: CooccurrenceParams
) -> pl.DataFrame:
    """Return ``bundle``, ``customer_id``, ``joint``: probability that the customer's next basket holds the bundle.

    The estimate of :func:`ml.optimizer.rules.joint_probability`, for customers who have all its products as candidates.
    """
    lift = pairs.select(
        "product_a",
        "product_b",
        lift=pl.Series(shrunk_lift(pairs["pair_baskets"].to_numpy(), pairs["expected_baskets"].to_numpy(), counting)),
    )
    each = [
        (number, len(one.product_ids), a, b)
        for number, one in enumerate(candidates)
        for a, b in combinations(one.product_ids, 2)
    ]
    schema = {"bundle": pl.Int64, "size": pl.Int64, "product_a": pl.String, "product_b": pl.String}
    known = preferences.select("customer_id", "product_id", "preference", "basket_spread")
    met = (
        pl.DataFrame(each, schema=schema, orient="row")
        .join(lift, on=["product_a", "product_b"], how="left")
        .join(known, left_on="product_a", right_on="product_id")
        .join(known.drop("basket_spread"), left_on=["product_b", "customer_id"], right_on=["product_id", "customer_id"])
    )
    left, right = pl.col("preference"), pl.col("preference_right")
    together = left * right * pl.col("basket_spread") * pl.col("lift").fill_null(1.0)
    met = met.with_columns(
        pair=pl.min_horizontal(together, left, right).clip(lower_bound=1e-12), singles=(left * right).log()
    )
    size = pl.col("size").first()
    # Each product stands in size - 1 of the pairs.
    log_joint = pl.col("pair").log().sum() - (size - 2) / (size - 1) * pl.col("singles").sum()
    return (
        met.group_by("bundle", "customer_id")
        .agg(joint=pl.min_horizontal(pl.col("pair").min(), log_joint.exp()), pairs=pl.len(), size=size)
        .filter(pl.col("pairs") == pl.col("size") * (pl.col("size") - 1) // 2)
        .select("bundle", "customer_id", "joint")
    )


def _seen(candidates: Sequence[Candidate], recent: pl.DataFrame) -> tuple[Reals, Reals, list[Reals]]:
    """Return baskets with the whole bundle, bundles in such a basket, and baskets that lack one part, by part."""
    parts = pl.DataFrame(
        [
            (number, place, len(one.product_ids), product)
            for number, one in enumerate(candidates)
            for place, product in enumerate(one.product_ids)
        ],
        schema={"bundle": pl.Int64, "place": pl.Int64, "size": pl.Int64, "product_id": pl.String},
        orient="row",
    )
    lines = recent.select("basket_id", "product_ids", "quantities").explode("product_ids", "quantities")
    held = (
        lines.rename({"product_ids": "product_id"})
        .join(parts, on="product_id")
        .group_by("bundle", "basket_id")
        .agg(pl.len(), pl.col("size").first(), places=pl.col("place").sum(), sets=pl.col("quantities").min())
    )
    size = pl.col("size")
    whole = held.filter(pl.col("len") == size).group_by("bundle").agg(seen=pl.len(), sets=pl.col("sets").sum())
    seen = _by_bundle(whole, "seen", len(candidates))
    # One basket of one bundle is added, so that few baskets with many units do not speak alone.
    sets = (_by_bundle(whole, "sets", len(candidates)) + 1.0) / (seen + 1.0)
    lacking = held.filter(pl.col("len") == size - 1).with_columns(lacks=size * (size - 1) // 2 - pl.col("places"))
    missing = [np.zeros(len(one.product_ids)) for one in candidates]
    for bundle, place, number in lacking.group_by("bundle", "lacks").len().iter_rows():
        missing[bundle][place] = number
    return seen, np.maximum(sets, 1.0), missing


def _by_bundle(frame: pl.DataFrame, name: str, bundles: int) -> Reals:
    values = np.zeros(bundles)
    values[frame["bundle"].to_numpy()] = frame[name].to_numpy()
    return values
