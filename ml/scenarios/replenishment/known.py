"""What replenishment knows of the day: sales of the products with demand, lead times, what bundles bring, partners."""

from datetime import timedelta

import polars as pl

from ml.demand.sales import NEW_DAYS, Sales, sales_of
from ml.demand.visits import expected_visits
from ml.scenarios.ground import Ground

SLOW_PARTNERS = 3
"""Partners named for a slow mover."""


def answered_products(ground: Ground) -> pl.DataFrame:
    """Return the rows of ``features.ftr_products`` that get a forecast, by product.

    Those that sold in ``min_product_baskets`` baskets, which may be bundled, and those launched in the last 28 days.
    """
    is_new = pl.col("launched_on") > ground.context.as_of - timedelta(days=NEW_DAYS)
    is_asked = (pl.col("baskets") >= ground.settings.min_product_baskets) | is_new.fill_null(False)
    return ground.products.filter(pl.col("is_bundleable"), is_asked).sort("product_id")


def thin_products(ground: Ground) -> pl.DataFrame:
    """Return the rows of ``features.ftr_products`` that may be bundled and get no forecast, by product."""
    answered = answered_products(ground).select("product_id")
    return ground.products.filter("is_bundleable").join(answered, on="product_id", how="anti").sort("product_id")


def known_sales(ground: Ground, products: pl.DataFrame) -> Sales:
    """Return the daily sales of ``products`` until the as-of day."""
    return sales_of(ground.product_days, products, ground.stock_outs, ground.market_signals, ground.context.as_of)


def induced_units(bundles: pl.DataFrame, items: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """Return the units a day of each product that the bundles on offer bring beyond what customers buy anyway.

    A customer takes a bundle at the next visit with its joint probability J. In the share P of these cases, P being the
    customer's preference for the product, the product would have been bought anyway: J (1 - P) is on top. Of several
    bundles with the product a customer counts only the one that brings most, times the visits expected a day. Customers
    without a basket bring nothing. It is careful in one more way: an offer is taken for no more persuasive than habit,
    since only an experiment can tell; and it assumes that offers like today's stand on each day.

    Parameters
    ----------
    bundles
        ``bundle_id``, ``customer_id``, ``joint_probability`` of the bundles offered.
    items
        ``bundle_id``, ``product_id``, ``preference``.
    customers
        ``customer_id``, ``mean_gap_days`` and ``days_since_last``, null where unknown.

    Returns
    -------
    ``product_id``, ``bundle_units_per_day`` > 0.
    """
    known = customers.filter(customers["days_since_last"].is_not_null() | customers["mean_gap_days"].is_not_null())
    on_top = (
        bundles.select("bundle_id", "customer_id", "joint_probability")
        .join(items.select("bundle_id", "product_id", "preference"), on="bundle_id")
        .with_columns(units=pl.col("joint_probability") * (1 - pl.col("preference")))
        .group_by("customer_id", "product_id")
        .agg(pl.col("units").max())
    )
    return (
        on_top.join(expected_visits(known, 1), on="customer_id")
        .sort("product_id", "customer_id")
        .group_by("product_id", maintain_order=True)
        .agg(bundle_units_per_day=(pl.col("units") * pl.col("visits")).sum())
        .filter(pl.col("bundle_units_per_day") > 0)
    )


def partners(associations: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return for each product those that complete it, best first.

    Complements are pairs that were told to be, and those that nobody told to be substitutes and that are bought
    together more than chance would have it: the whole interval of their lift lies above 1.

    Parameters
    ----------
    associations
        Rows of ``ml.associations``.
    products
        ``product_id``, ``baskets``: those that may be bundled.

    Returns
    -------
    ``product_id``, ``partner_id``, ``association``, ``extra_share`` (baskets with both beyond those expected, as a
    share of the partner's baskets).
    """
    is_undecided = pl.col("relation") == "undecided"
    is_complement = (pl.col("relation") == "complement") | (is_undecided & (pl.col("lift_low") > 1))
    pairs = associations.filter(is_complement, pl.col("product_a") != pl.col("product_b"))
    facts = ("association", "pair_baskets", "expected_baskets")
    both = pl.concat(
        pairs.select(pl.col(one).alias("product_id"), pl.col(other).alias("partner_id"), *facts)
        for one, other in (("product_a", "product_b"), ("product_b", "product_a"))
    ).unique(["product_id", "partner_id"], keep="first", maintain_order=True)
    extra = (pl.col("pair_baskets") - pl.col("expected_baskets")).clip(0) / pl.max_horizontal("baskets", 1)
    return (
        both.join(products.select(partner_id="product_id", baskets="baskets"), on="partner_id")
        .join(products.select("product_id"), on="product_id", how="semi")
        .select("product_id", "partner_id", "association", extra_share=extra)
        .sort("product_id", pl.col("association").neg(), "partner_id")
    )
