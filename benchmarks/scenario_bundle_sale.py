"""What a bundle sale earns, and how well the demand behind its prices is known.

On the simulated shop, whose truth is known: a sale of four weeks is planned from the shop's tables, then the eight
weeks after are lived by the same customers with the same chances without a sale, with the planned prices, and with the
same bundles at 10 % and at 3 % off: whatever the whole shop earns more is what a sale earned, rivals and later weeks
included. Each number is over shops of different seeds, with 95 % bootstraps over shops. ``high_margins`` are the same
shops where products cost half as much, so that a discount can pay; behaviour does not depend on costs. Buyers of this
shop take more units at any discount, however small: the plan learns so of discounts as deep as the shop's, and knows
nothing of smaller ones. Twenty shops of other seeds (100 to 119 later) chose how the response to a sale is reckoned.
Elasticities are compared with what the same shop sells in weeks with and without a fifth off.

On Complete Journey (no costs): the published test weeks (2017-12-04 to 2017-12-31), each forecast from the weeks before
2017-12-04; elasticities until then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from benchmarks.data import LAST_TRAINING_DAY, complete_journey, package_folder
from benchmarks.report import Row, arguments, write_report
from benchmarks.sale_market import History, Offered, SaleShoppers, history, true_elasticities
from benchmarks.sale_world import world_of
from ml.demand.level import held_out
from ml.demand.price_response import elasticities
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.params import RunParams
from ml.scenarios.bundle_sale.evaluation import offered_weeks
from ml.scenarios.bundle_sale.plan import Row as Price
from ml.scenarios.bundle_sale.plan import plan_sale
from ml.scenarios.bundle_sale.splitting import split_discount
from ml.scenarios.bundle_sale.world import World
from ml.scenarios.rules import Rules
from ml.sources.simulated_shop import FIRST_AS_OF, Size
from ml.sources.simulated_shop.truth import Ints

SEED, SHOPS, QUICK_SHOPS, TRUE_SHOPS = 20170101, 10, 2, 3
SIZE = Size(1000, 80, 365)
PARAMS = RunParams(scenario="bundle_sale", bundle_size=2, sale_bundles=10)
FIRST_DAY = FIRST_AS_OF + timedelta(days=1)
LIVED_DAYS = 56
"""The sale and as long again, in which what was bought early is missing."""
LAST_TEST_DAY = date(2017, 12, 31)
COSTS = {"": 1.0, "high_margins/": 0.5}
"""Costs over those of the shop."""
UNIFORM = {"uniform_10_pct": 0.10, "uniform_3_pct": 0.03}
NAME = "scenarios/bundle_sale"


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__)
    data = f"simulated shops of {SIZE.customers} customers; Complete Journey after {LAST_TRAINING_DAY}"
    write_report("scenario_bundle_sale", data, rows(options.quick), options.json)


def rows(is_quick: bool) -> list[Row]:
    """Return all numbers of the scenario."""
    shops = [history(SIZE, SEED + number) for number in range(QUICK_SHOPS if is_quick else SHOPS)]
    worlds = [world_of(past, PARAMS) for past in shops]
    found = [row for label, share in COSTS.items() for row in _sales(label, share, shops, worlds)]
    found += _known_elasticities(shops[:TRUE_SHOPS], worlds)
    return [*found, *_complete_journey()]


@dataclass(frozen=True)
class Sold:
    """What one sale came to in one shop.

    Attributes
    ----------
    gain_cents
        Margin of the shop beyond that without a sale.
    bundles
        Bundles sold at their price.
    """

    gain_cents: float
    bundles: int


def _sales(label: str, cost_share: float, shops: Sequence[History], worlds: Sequence[World]) -> Iterator[Row]:
    sales: dict[str, list[Sold]] = {name: [] for name in ("ours", *UNIFORM)}
    claimed, expected, together = [], [], []
    for past, world in zip(shops, worlds, strict=True):
        full = past.market.list_price(FIRST_AS_OF)
        costs = np.maximum((past.truth.cost_cents * cost_share).astype(np.int64), 1)
        priced = world.products.with_columns(cost_cents=(pl.col("cost_cents") * cost_share).cast(pl.Int32).clip(1))
        sale = plan_sale(replace(world, products=priced), Rules())
        shop = SaleShoppers(past, _offers(sale.prices, full, None), FIRST_AS_OF)
        shop.truth = replace(past.truth, cost_cents=costs)
        none = SaleShoppers(shop, shop.offered, FIRST_AS_OF).earn(FIRST_DAY, LIVED_DAYS)
        in_sale = SaleShoppers(shop, shop.offered, FIRST_AS_OF).earn(FIRST_DAY, PARAMS.sale_days)
        for name, own in sales.items():
            offers = _offers(sale.prices, full, UNIFORM.get(name))
            last = FIRST_AS_OF + timedelta(days=PARAMS.sale_days)
            lived = SaleShoppers(shop, offers, last).earn(FIRST_DAY, LIVED_DAYS)
            own.append(Sold(lived.margin_cents - none.margin_cents, lived.bundles))
        claimed.append(sale.value)
        expected.append(sum(row["units_at_list"] for row in sale.prices))
        together.append(float(in_sale.together.sum()))
    yield from _gains(label, sales)
    if not label:
        yield _ratio(f"{NAME}/bundles_without_sale_expected_over_bought", expected, together, "ratio")
    gains = [one.gain_cents for one in sales["ours"]]
    yield _ratio(f"{NAME}/{label}margin_expected_over_earned", claimed, gains, "ratio")


def _offers(prices: Sequence[Price], list_cents: Ints, share: float | None) -> list[Offered]:
    """Return the bundles at their own prices, or all at a share off; those at list price are no offer."""
    found = []
    for row in prices:
        parts = tuple(int(product[1:]) for product in row["product_ids"])
        price = row["bundle_price_cents"] if share is None else round(row["list_price_cents"] * (1 - share))
        paid = split_discount(list_cents[list(parts)].tolist(), price)
        found.append(Offered(parts, tuple(paid), price < row["list_price_cents"]))
    return found


def _gains(label: str, sales: dict[str, list[Sold]]) -> Iterator[Row]:
    ours = sales["ours"]
    for name, own in sales.items():
        yield _ratio(
            f"{NAME}/{label}margin_per_bundle_sold" + ("" if name == "ours" else f"_of_{name}"),
            [one.gain_cents for one in own],
            [float(one.bundles) for one in own],
            "cents beyond no sale",
            None if name == "ours" else name,
        )
    mine = np.array([one.gain_cents for one in ours])
    yield _row(f"{NAME}/{label}margin_gain", bootstrap_mean(mine, seed=SEED), "cents a shop", "no discount")
    for name in UNIFORM:
        theirs = np.array([one.gain_cents for one in sales[name]])
        gain = paired_bootstrap(mine, theirs, seed=SEED)
        yield _row(f"{NAME}/{label}margin_gain_over_{name}", gain, "cents a shop", name)


def _ratio(name: str, above: Sequence[float], below: Sequence[float], unit: str, peer: str | None = None) -> Row:
    """Return the ratio of two sums over shops with its bootstrap interval; 0 where nothing was sold."""
    up, down = np.array(above), np.array(below)
    drawn = np.random.default_rng(SEED).integers(0, len(up), (1000, len(up)))
    sums = down[drawn].sum(axis=1)
    ratios = np.divide(up[drawn].sum(axis=1), sums, out=np.zeros(1000), where=sums != 0)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Row(name, float(up.sum() / down.sum()) if down.sum() else 0.0, unit, float(low), float(high), peer)


def _row(name: str, interval: Interval, unit: str, peer: str | None = None) -> Row:
    return Row(name, interval.value, unit, interval.low, interval.high, peer)


def _known_elasticities(shops: Sequence[History], worlds: Sequence[World]) -> Iterator[Row]:
    """Yield how the elasticities compare with the truth, by the mean over shops with its range."""
    ranks, covers, ratios = [], [], []
    for past, world in zip(shops, worlds, strict=False):
        truth = true_elasticities(past)[[int(product[1:]) for product in world.elasticity["product_id"]]]
        is_known = np.isfinite(truth)
        middle, low, high = (world.elasticity[name].to_numpy() for name in ("elasticity", "low", "high"))
        ranks.append(float(spearmanr(truth[is_known], middle[is_known]).statistic))
        covers.append(float(((low <= truth) & (truth <= high))[is_known].mean()))
        ratios.append(float(middle[is_known].mean() / truth[is_known].mean()))
    for name, values, unit in (
        ("elasticity_rank_correlation", ranks, "Spearman"),
        ("elasticity_interval_coverage", covers, "share"),
        ("elasticity_over_truth", ratios, "ratio"),
    ):
        yield Row(
            f"{NAME}/{name}", float(np.mean(values)), unit, min(values), max(values), "truth of the simulated shop"
        )


def _complete_journey() -> Iterator[Row]:
    _, products = complete_journey()
    days = product_days(products)
    judged = held_out(days, products, LAST_TEST_DAY)
    if judged is not None:
        yield _row(f"{NAME}/complete_journey/demand_deviance", bootstrap_mean(judged.with_price, seed=SEED), "deviance")
        for name, theirs in (("model_without_price", judged.without_price), ("recent_mean", judged.mean)):
            gain = paired_bootstrap(judged.with_price, theirs, seed=SEED)
            yield _row(f"{NAME}/complete_journey/demand_deviance_over_{name}", gain, "deviance", name)
    offers = offered_weeks(days, products, LAST_TEST_DAY)
    came, expected, usual = (offers[name].to_numpy() for name in ("units", "expected", "usual"))
    gain = paired_bootstrap(np.abs(expected - came), np.abs(usual - came), seed=SEED)
    yield _row(f"{NAME}/complete_journey/offered_units_error_over_recent_mean", gain, "units a product", "recent_mean")
    yield Row(f"{NAME}/complete_journey/offered_units_expected_over_sold", float(expected.sum() / came.sum()), "ratio")
    elastic = elasticities(days, products, LAST_TRAINING_DAY)
    own = elastic["own_estimate"].drop_nulls().to_numpy()
    negative = bootstrap_mean((own < 0).astype(np.float64), seed=SEED)
    yield _row(f"{NAME}/complete_journey/own_elasticity_negative", negative, "share of products")
    for level in ("product", "category", "shop"):
        some = elastic.filter(pl.col("level") == level)["elasticity"].to_numpy()
        low, middle, high = np.quantile(some, [0.1, 0.5, 0.9])
        path = f"{NAME}/complete_journey/elasticity_of_level_{level}"
        yield Row(path, float(middle), "median, 10 to 90 %", float(low), float(high))
        yield Row(f"{path}_share", len(some) / elastic.height, "share of products")


def product_days(products: pl.DataFrame) -> pl.DataFrame:
    """Return Complete Journey as ``features.ftr_product_days``: list price before the shop's own discounts."""
    lines = (
        pl.scan_parquet(package_folder() / "transactions.parquet")
        .filter((pl.col("quantity") > 0) & (pl.col("sales_value") > 0))
        .with_columns(
            product_id=pl.col("product_id").cast(pl.String),
            full=(pl.col("sales_value") + pl.col("retail_disc") + pl.col("coupon_match_disc")) * 100,
            paid=((pl.col("sales_value") - pl.col("coupon_disc")) * 100).clip(lower_bound=0),
        )
        .group_by("product_id", sold_on=pl.col("transaction_timestamp").dt.date())
        .agg(units=pl.col("quantity").sum().cast(pl.Int64), full=pl.col("full").sum(), paid=pl.col("paid").sum())
        .collect()
    )
    return (
        lines.join(products.select("product_id"), on="product_id", how="semi")
        .select(
            "product_id",
            "sold_on",
            "units",
            revenue_cents=pl.col("paid").round().cast(pl.Int64),
            discount_cents=(pl.col("full") - pl.col("paid")).round().cast(pl.Int64),
            price_cents=(pl.col("full") / pl.col("units")).round().cast(pl.Int32),
            is_promoted=pl.lit(False),
        )
        .sort("product_id", "sold_on")
    )


if __name__ == "__main__":
    main()
