"""Parts of the customers and of the products in which a model is looked at apart."""

from datetime import date, timedelta

import polars as pl

NEW_CUSTOMERS = "new customers"
NEW_PRODUCTS, WARM_PRODUCTS = "new products", "warm products"
NEW_PRODUCT_DAYS = 56
MOST_DEPARTMENTS = 4


def customer_segments(baskets: pl.DataFrame, targets: pl.DataFrame, min_baskets: int) -> pl.DataFrame:
    """Return each target's customer with its segment, by the number of baskets before the cut.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``.
    targets
        ``customer_id``, ``cut``.
    min_baskets
        Customers with fewer are new: no model learns from them. The others fall into three bands, which part at
        three times and at eight times as many.

    Returns
    -------
    ``customer_id``, ``segment``; ordered by customer.
    """
    past = (
        baskets.select("customer_id", "basket_on")
        .join(targets.select("customer_id", "cut"), on="customer_id", how="inner")
        .filter(pl.col("basket_on") < pl.col("cut"))
        .group_by("customer_id")
        .len("earlier")
    )
    earlier = pl.col("earlier").fill_null(0)
    few, many = 3 * min_baskets, 8 * min_baskets
    segment = (
        pl.when(earlier < min_baskets)
        .then(pl.lit(NEW_CUSTOMERS))
        .when(earlier < few)
        .then(pl.lit(f"customers with {min_baskets} to {few - 1} baskets"))
        .when(earlier < many)
        .then(pl.lit(f"customers with {few} to {many - 1} baskets"))
        .otherwise(pl.lit(f"customers with {many} baskets or more"))
    )
    joined = targets.select("customer_id").join(past, on="customer_id", how="left")
    return joined.select("customer_id", segment=segment).sort("customer_id")


def product_segments(baskets: pl.DataFrame, products: pl.DataFrame, cut: date) -> pl.DataFrame:
    """Return the segments of each product: new or warm, and its department where that is one of the largest.

    Parameters
    ----------
    baskets, products
        Rows of ``features.ftr_baskets`` and ``features.ftr_products``.
    cut
        Products first sold in the 56 days before it, or not at all, are new.

    Returns
    -------
    ``product_id``, ``segment``; up to two rows a product, ordered by both.
    """
    sold = (
        baskets.filter(pl.col("basket_on") < cut)
        .select("basket_on", product_id="product_ids")
        .explode("product_id")
        .group_by("product_id")
        .agg(first_on=pl.col("basket_on").min(), lines=pl.len())
    )
    known = products.select("product_id", "department").join(sold, on="product_id", how="left")
    is_new = pl.col("first_on").is_null() | (pl.col("first_on") >= cut - timedelta(days=NEW_PRODUCT_DAYS))
    age = pl.when(is_new).then(pl.lit(NEW_PRODUCTS)).otherwise(pl.lit(WARM_PRODUCTS))
    largest = (
        known.drop_nulls("department")
        .group_by("department")
        .agg(lines=pl.col("lines").sum())
        .sort("lines", "department", descending=[True, False])
        .head(MOST_DEPARTMENTS)
    )
    of_department = known.join(largest, on="department", how="semi")
    parts = [
        known.select("product_id", segment=age),
        of_department.select("product_id", segment=pl.format("department {}", "department")),
    ]
    return pl.concat(parts).sort("product_id", "segment")
