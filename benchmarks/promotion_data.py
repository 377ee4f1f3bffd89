"""What promotions are planned and judged from, without a database: a simulated shop, and Complete Journey."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey, package_folder
from benchmarks.simulated import simulated_shop
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.substitutes import tell_apart
from ml.demand.price_response import elasticities
from ml.demand.side_effects import side_effects
from ml.scenarios.cross_category.evaluation import Past
from ml.scenarios.cross_category.responses import Facts, complements
from ml.sources.simulated_shop import FIRST_AS_OF, SimulatedShop, Size, Truth
from ml.sources.simulated_shop.market import Market
from ml.tables import MARKET_SIGNALS

PRICE_DAYS = 90
"""As in the features: days of sales whose median is a product's price."""


@dataclass(frozen=True)
class SimulatedWorld:
    """A simulated shop's facts on its first as-of date, and its truth."""

    facts: Facts
    truth: Truth

    def with_costs(self, share: float) -> "SimulatedWorld":
        """Return the shop with costs of that share of what they are; customers do not know them."""
        cost = (pl.col("cost_cents") * share).round().cast(pl.Int32)
        truth = replace(self.truth, cost_cents=np.round(self.truth.cost_cents * share).astype(np.int64))
        return SimulatedWorld(replace(self.facts, products=self.facts.products.with_columns(cost)), truth)


def simulated_world(size: Size, seed: int, promotion_days: int) -> SimulatedWorld:
    """Return the shop with the promotions announced for the days after the as-of date."""
    baskets, products, truth = simulated_shop(size, seed)
    given = {one.table: one.records for one in SimulatedShop(size, seed).deliveries(FIRST_AS_OF, {})}
    sold = given["order_items"].filter(pl.col("quantity") > 0)
    sold = sold.join(given["orders"].filter(pl.col("status") == "completed"), on="order_id").select(
        "product_id",
        sold_on=pl.col("ordered_at").dt.date(),
        units="quantity",
        discount_cents=pl.col("discount_cents").fill_null(0),
        revenue_cents=pl.col("quantity") * pl.col("unit_price_cents") - pl.col("discount_cents").fill_null(0),
    )
    last = FIRST_AS_OF + timedelta(days=promotion_days)
    promotions = Market(truth).promotions(truth.first_day - timedelta(days=1), last)
    lists = promotions.filter(pl.col("starts_on") <= FIRST_AS_OF + timedelta(days=1)).group_by("product_id").agg(
        promotion_kinds="kind",
        promotion_starts_on="starts_on",
        promotion_ends_on="ends_on",
        promotion_sizes=pl.coalesce("discount_share", pl.col("store_count").cast(pl.Float64)),
    )  # fmt: skip
    held = baskets.explode("product_ids").group_by(product_id="product_ids").agg(baskets=pl.len().cast(pl.Int32))
    level = pl.col("category_path").str.split(" > ")
    own = given["products"].select(
        "product_id", "category_path", pl.col("cost_cents").cast(pl.Int32), department=level.list.get(0)
    )
    products = products.join(own, on="product_id").join(held, on="product_id", how="left")
    products = products.with_columns(pl.col("baskets").fill_null(0)).join(lists, on="product_id", how="left")
    days, pairs = product_days(sold), associations(baskets, products)
    found = elasticities(days, products, FIRST_AS_OF)
    effects = side_effects(days, products, complements(pairs, products, days, baskets.height), FIRST_AS_OF)
    told = Market(truth).signals(truth.first_day - timedelta(days=1), FIRST_AS_OF).rename({"value": "signal_value"})
    if effects is None:
        raise ValueError(f"the simulated shop of seed {seed} had too few discounts to learn from")
    return SimulatedWorld(
        Facts(FIRST_AS_OF, products, days, pairs, found, effects, promotions, baskets.height, told), truth
    )  # fmt: skip


def complete_journey_past(through: date, last: date) -> Past:
    """Return Complete Journey to ``last``, cut at ``through``; list prices and associations are those of the cut."""
    baskets, products = complete_journey(through=min(through, LAST_TRAINING_DAY))
    lines = pl.read_parquet(package_folder() / "transactions.parquet").filter(
        (pl.col("quantity") > 0) & (pl.col("sales_value") > 0)
    )
    off = pl.col("retail_disc") + pl.col("coupon_match_disc") + pl.col("coupon_disc")
    sold = lines.select(
        product_id=pl.col("product_id").cast(pl.String),
        sold_on=pl.col("transaction_timestamp").dt.date(),
        units="quantity",
        discount_cents=off * 100,
        revenue_cents=((pl.col("sales_value") - pl.col("coupon_disc")) * 100).clip(lower_bound=0),
    )
    days = product_days(sold.join(products.select("product_id"), on="product_id", how="semi"))
    days = days.filter(pl.col("sold_on") <= last)
    recent = days.filter(pl.col("sold_on") > through - timedelta(days=PRICE_DAYS), pl.col("sold_on") <= through)
    prices = recent.group_by("product_id").agg(pl.col("price_cents").median().round().cast(pl.Int32))
    products = products.join(prices, on="product_id", how="left").with_columns(
        cost_cents=pl.lit(None, pl.Int32),
        available_units=pl.lit(None, pl.Int32),
        category_path=pl.format("{} > {}", "department", "category"),
    )
    pairs = associations(baskets.filter(pl.col("basket_on") <= through), products)
    none = MARKET_SIGNALS.frame([])
    return Past(baskets.filter(pl.col("basket_on") <= last), products, days, pairs, none, through, last)


def product_days(sold: pl.DataFrame) -> pl.DataFrame:
    """Return lines sold as ``features.ftr_product_days`` would, without the day and what was shown."""
    whole = ["units", "revenue_cents", "discount_cents"]
    summed = sold.group_by("product_id", "sold_on").agg(pl.col(whole).sum().round().cast(pl.Int64))
    gross = pl.col("revenue_cents") + pl.col("discount_cents")
    return summed.with_columns(
        price_cents=(gross / pl.col("units")).round().cast(pl.Int32), is_promoted=pl.lit(False)
    ).sort("product_id", "sold_on")


def associations(baskets: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return the counted pairs with their relation, as ``ml.associations`` would hold them."""
    usual = baskets.filter(~pl.col("is_giant"))
    return tell_apart(usual, products).mark(fit_cooccurrence(index_baskets(usual), CooccurrenceParams()).frame())
