"""What a launch is planned from, gathered from a day's features and its personal run."""

from datetime import date, timedelta

import polars as pl

from ml.association.backoff import BackOff
from ml.candidates import CandidateParams
from ml.demand.launches import Conversion, PastLaunches, learn_launches, past_launches
from ml.demand.signal_response import SignalResponse, category_ratio, signal_response
from ml.scenarios.ground import Ground
from ml.scenarios.launch.budget import BudgetParams, Trial
from ml.scenarios.launch.interest import interested, visiting
from ml.scenarios.launch.partners import evident_products, new_products, pool_of, with_first_baskets
from ml.scenarios.launch.plan import LaunchFacts, LaunchParams

WINDOW_DAYS = CandidateParams.window_days
"""A product is new for as long as candidates call it so, and that is the time in which it is expected to be bought."""
SPARE = 2
"""Times the audience that is looked at for each product, as a customer may be taken by others."""


def params_of(ground: Ground) -> LaunchParams:
    """Return what the form asks for."""
    asked = ground.context.params
    budget = BudgetParams(asked.launch_impressions, asked.launch_audience, seed=asked.seed)
    return LaunchParams(asked.launch_partners, budget)


def newcomers_of(ground: Ground) -> pl.DataFrame:
    """Return the new products of the day."""
    return new_products(ground.products, ground.context.as_of, ground.settings.min_product_baskets, WINDOW_DAYS)


def launch_facts(ground: Ground, back_off: BackOff, params: LaunchParams) -> LaunchFacts:
    """Return what the launch of the day's new products is planned from.

    Parameters
    ----------
    back_off
        Of the champion association: it knows every product of the shop, sold or not.
    """
    new, evident = newcomers_of(ground), evident_products(ground.products, ground.settings.min_product_baskets)
    shrinkage = ground.settings.association.shrinkage
    estimated = pool_of(back_off, new, evident, ground.baskets.height, ground.rules.must_include)
    pool = with_first_baskets(estimated, ground.baskets, shrinkage)
    products = pl.concat([evident.with_columns(is_new=False), new.with_columns(is_new=True)])
    preferences = ground.candidates.select("customer_id", "product_id", "preference")
    visits = visiting(ground.baskets, ground.context.as_of)
    return LaunchFacts(
        new,
        products,
        pool,
        interested(preferences, visits, products, pool, SPARE * params.budget.per_product),
        trials_of(ground, new),
        preferences.join(evident.select("product_id"), on="product_id", how="semi"),
        purchases_by_category(ground.purchases, ground.products),
    )


def trials_of(ground: Ground, new: pl.DataFrame) -> dict[str, Trial]:
    """Return what is known of each new product: its conversion, the size of a purchase, and its stock.

    Where the market tells how much a category is wanted now, launches of the past are seen beside what was told then.
    """
    as_of, reserve = ground.context.as_of, ground.context.params.reserve_units
    signals = ground.market_signals
    response = signal_response(signals, ground.product_days, ground.products, as_of)
    learned = learned_launches(ground.baskets, ground.products, signals, response, as_of)
    now = category_ratio(signals, new.select("category", day=pl.lit(as_of)), response)
    recent = ground.baskets.filter(pl.col("basket_on") > as_of - timedelta(days=WINDOW_DAYS))
    active = recent["customer_id"].drop_nulls().n_unique()
    units = units_by_category(ground.purchases, ground.products)
    usual = units.get(None, 1.0)
    found = {}
    for row, ratio in zip(new.iter_rows(named=True), now, strict=True):
        available = row["available_units"]
        found[row["product_id"]] = Trial(
            None if learned is None else conversion_of(row, learned, as_of, active, ratio),
            units.get(row["category"], usual),
            None if available is None else max(available - reserve, 0),
            is_pinned=False,
            demand_ratio=ratio,
        )
    return found


def learned_launches(
    baskets: pl.DataFrame, products: pl.DataFrame, signals: pl.DataFrame, response: SignalResponse, as_of: date
) -> PastLaunches | None:
    """Return what launches of the past say of one at the usual demand: where more was wanted, more customers count."""
    launches = past_launches(baskets, products, as_of, WINDOW_DAYS)
    midway = pl.col("launched_on") + pl.duration(days=WINDOW_DAYS // 2)
    then = category_ratio(signals, launches.select("category", day=midway), response)
    return learn_launches(launches.with_columns(trials=pl.col("trials") * then))


def conversion_of(
    row: dict[str, object], learned: PastLaunches, as_of: date, active: int, demand_ratio: float
) -> Conversion:
    """Return the conversion of a new product after its own first days.

    The customers who came while it was on sale are its trials, as far as its first weeks are over: half of them after
    half of the time.
    """
    category, since, buyers = row["category"], row["launched_on"] or row["first_sold_on"], row["customers"]
    prior = learned.conversion(category if isinstance(category, str) else None, demand_ratio)
    if not isinstance(since, date) or not isinstance(buyers, int):
        return prior
    days = min((as_of - since).days + 1, WINDOW_DAYS)
    return prior.seen(buyers, active * days / WINDOW_DAYS)


def units_by_category(purchases: pl.DataFrame, products: pl.DataFrame) -> dict[str | None, float]:
    """Return the mean units of one purchase by category; of all under None, where there was any."""
    sold = purchases.join(products.select("product_id", "category"), on="product_id")
    if not sold["baskets"].sum():
        return {}
    mean = pl.col("units").sum() / pl.col("baskets").sum()
    own = sold.drop_nulls("category").group_by("category").agg(mean)
    whole = float(sold.select(mean).item())
    return {None: whole, **{category: float(units) for category, units in own.iter_rows() if units > 0}}


def purchases_by_category(purchases: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_id``, ``category``, ``times`` (products bought, basket by basket), ``days_since_last``."""
    sold = purchases.join(products.select("product_id", "category"), on="product_id").drop_nulls("category")
    return sold.group_by("customer_id", "category").agg(
        times=pl.col("baskets").sum(), days_since_last=pl.col("days_since_last").min()
    )
