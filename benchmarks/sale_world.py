"""What a sale of the simulated shop is planned with, from its history: the tables a shop has, and no truth."""

from datetime import timedelta

import numpy as np
import polars as pl

from benchmarks.sale_market import History
from benchmarks.simulated import as_features
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.demand.level import usual_level
from ml.demand.price_response import elasticities
from ml.demand.quantity import quantity_response
from ml.demand.side_effects import UNTOLD, side_effects
from ml.optimizer.solve import solve_slate
from ml.params import RunParams
from ml.policies.named import OURS, POLICIES, limits_of, search_of
from ml.policies.shelf import Shelf
from ml.preference.baselines import PersonalDecayed
from ml.scenarios.bundle_sale.world import World
from ml.scenarios.slates import Desk, Slate
from ml.sources.simulated_shop.truth import FIRST_AS_OF
from ml.spread import basket_spreads

CANDIDATES, BUNDLES = 30, 2
"""Of each customer."""


def world_of(past: History, params: RunParams) -> World:
    """Return the world of the first as-of date; preferences are personal frequencies, decayed."""
    baskets, days, products = _baskets(past), _days(past), _products(past)
    counts = fit_cooccurrence(index_baskets(baskets), CooccurrenceParams())
    pairs = counts.frame("lift").with_columns(
        relation=pl.when(pl.col("lift_low") > 1)
        .then(pl.lit("complement"))
        .when(pl.col("lift_high") < 1)
        .then(pl.lit("substitute"))
        .otherwise(pl.lit("undecided"))
    )
    preferences = _preferences(baskets)
    bundles, items = _bundles(products, pairs, preferences, params)
    elastic = elasticities(days, products, FIRST_AS_OF)
    effects = side_effects(days, products, None, FIRST_AS_OF) or UNTOLD
    level = usual_level(days, products, FIRST_AS_OF, params.sale_days)
    return World(
        FIRST_AS_OF, params, counts.params, products, bundles, items, preferences, pairs, baskets, days, elastic,
        effects, level, quantity_response(days, baskets, products, FIRST_AS_OF),
    )  # fmt: skip


def _lines(past: History) -> pl.DataFrame:
    names = [pl.Series(past.truth.customer_ids), pl.Series(past.truth.product_ids)]
    lines = pl.concat(past.lines)
    return lines.with_columns(
        customer_id=names[0].gather(lines["customer"]), product_id=names[1].gather(lines["product"])
    )


def _baskets(past: History) -> pl.DataFrame:
    rows = _lines(past).sort("customer_id", "basket_on", "product_id")
    return as_features(
        rows.group_by("customer_id", "basket_on", maintain_order=True).agg(
            product_ids="product_id", quantities="units", paid_cents="paid_cents"
        )
    )


def _days(past: History) -> pl.DataFrame:
    whole = pl.col("units") * pl.col("price_cents")
    return (
        _lines(past)
        .group_by("product_id", sold_on="basket_on")
        .agg(
            pl.col("units").sum(),
            revenue_cents=pl.col("paid_cents").sum(),
            discount_cents=(whole - pl.col("paid_cents")).sum(),
            price_cents=pl.col("price_cents").first().cast(pl.Int32),
        )
        .with_columns(is_promoted=pl.lit(False))
        .sort("product_id", "sold_on")
    )


def _products(past: History) -> pl.DataFrame:
    truth, market = past.truth, past.market
    promotions = market.promotions(truth.first_day - timedelta(days=1), FIRST_AS_OF).sort("starts_on", "promotion_id")
    lists = promotions.group_by("product_id", maintain_order=True).agg(
        promotion_kinds="kind",
        promotion_starts_on="starts_on",
        promotion_ends_on="ends_on",
        promotion_sizes=pl.coalesce("discount_share", pl.col("store_count").cast(pl.Float64)),
    )
    needs = [truth.department(j)[1] for j in range(len(truth.need_of))]
    frame = pl.DataFrame(
        {
            "product_id": truth.product_ids,
            "title": truth.product_ids,
            "category": needs,
            "price_cents": market.list_price(FIRST_AS_OF).astype(np.int32),
            "cost_cents": truth.cost_cents.astype(np.int32),
        }
    ).filter(pl.Series(market.is_listed(FIRST_AS_OF)))
    return frame.join(lists, on="product_id", how="left").with_columns(
        department=pl.lit("ALL"),
        category_path="category",
        margin_cents=pl.col("price_cents") - pl.col("cost_cents"),
        available_units=pl.lit(None, pl.Int32),
        is_bundleable=pl.lit(True),
    )


def _preferences(baskets: pl.DataFrame) -> pl.DataFrame:
    asked = (
        baskets.select("customer_id", product_id="product_ids")
        .explode("product_id")
        .unique(maintain_order=True)
        .with_columns(cut=pl.lit(FIRST_AS_OF + timedelta(days=1)))
    )
    p = PersonalDecayed().fit(baskets, baskets, asked).score(baskets, baskets, asked)
    lines = baskets.select("customer_id", "product_ids", basket="basket_id").explode("product_ids")
    people = asked["customer_id"].unique().sort()
    spreads = pl.DataFrame({"customer_id": people, "basket_spread": basket_spreads(lines, people)})
    return (
        asked.with_columns(preference=pl.Series(p))
        .sort("customer_id", "preference", "product_id", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("customer_id") < CANDIDATES)
        .join(spreads, on="customer_id")
        .with_columns(sources=pl.lit(["bought"], pl.List(pl.String)))
    )


def _bundles(
    products: pl.DataFrame, pairs: pl.DataFrame, preferences: pl.DataFrame, params: RunParams
) -> tuple[pl.DataFrame, pl.DataFrame]:
    shelf = Shelf.of(products, pairs)
    desk = Desk(shelf, POLICIES[OURS], limits_of(params), shelf.roles((), (), ()), search_of(params, 20_000), BUNDLES)
    made = []
    for slate in Slate.each(preferences.sort("customer_id"), shelf):
        for rank, found in enumerate(solve_slate(slate.problem(desk), desk.search, desk.bundles)):
            made += [(f"{slate.customer_id}-{rank}", slate.customer_id, one) for one in slate.product_ids(found.items)]
    rows = pl.DataFrame(made, schema=["bundle_id", "customer_id", "product_id"], orient="row")
    return rows.select("bundle_id", "customer_id").unique(maintain_order=True), rows.select("bundle_id", "product_id")
