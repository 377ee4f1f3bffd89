"""The simulated shop as the frames of schema ``features``, without a database: customer-days, nets of no returns."""

import polars as pl

from ml.sources.simulated_shop import FIRST_AS_OF, SimulatedShop, Size, Truth

GIANT_PRODUCTS = 500
"""As in the features: a basket of more products is giant."""


def simulated_shop(size: Size, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, Truth]:
    """Return baskets and products as ``features.ftr_baskets`` and ``features.ftr_products`` would, and the truth.

    Orders of nobody known are left out: they enter no lift.
    """
    shop = SimulatedShop(size, seed)
    given = {delivery.table: delivery.records for delivery in shop.deliveries(FIRST_AS_OF, {})}
    units, price, discount = pl.col("quantity"), pl.col("unit_price_cents"), pl.col("discount_cents").fill_null(0)
    lines = (
        given["order_items"]
        .filter(units > 0)
        .join(given["orders"].filter(pl.col("status") == "completed").drop_nulls("customer_id"), on="order_id")
        .group_by("customer_id", "product_id", basket_on=pl.col("ordered_at").dt.date())
        .agg(quantities=units.sum().cast(pl.Int64), paid_cents=(units * price - discount).sum().cast(pl.Int64))
    )
    baskets = (
        lines.sort("customer_id", "basket_on", "product_id")
        .group_by("customer_id", "basket_on", maintain_order=True)
        .agg("quantities", "paid_cents", product_ids="product_id")
    )
    level = pl.col("category_path").str.split(" > ")
    products = given["products"].select(
        "product_id",
        "title",
        "brand",
        pl.col("price_cents").cast(pl.Int32),
        category=level.list.get(1),
        is_bundleable=pl.lit(True),
        launched_on=pl.lit(None, pl.Date),
        margin_cents=pl.lit(None, pl.Int32),
        available_units=pl.lit(None, pl.Int32),
    )
    return as_features(baskets), products.sort("product_id"), shop.truth


def simulated_events(size: Size, seed: int) -> pl.DataFrame:
    """Return what known customers of the shop did on the web, as ``features.ftr_events`` would."""
    deliveries = SimulatedShop(size, seed).deliveries(FIRST_AS_OF, {})
    (events,) = (delivery.records for delivery in deliveries if delivery.table == "events")
    known = events.drop_nulls("customer_id").with_columns(occurred_on=pl.col("occurred_at").dt.date())
    return known.select("event_id", "customer_id", "occurred_at", "occurred_on", "event_type", "product_id")


def as_features(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return baskets with the columns that follow from the others."""
    return baskets.with_columns(
        basket_id=pl.format("{}:{}:{}", "customer_id", "basket_on", pl.int_range(pl.len())),
        is_giant=pl.col("product_ids").list.len() > GIANT_PRODUCTS,
    )
