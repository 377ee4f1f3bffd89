"""Which products a customer buys with a rhythm, and is about to need again."""

from datetime import date, timedelta

import polars as pl

from ml.demand.repurchase import RepurchaseModel, describe_products

LEAST_PROBABILITY = 0.2
"""Of being bought within two weeks: below it a product is not called due."""
DUE: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "product_id": pl.String,
    "due_rank": pl.Int32,
    "due_on": pl.Date,
    "probability": pl.Float64,
    "baskets": pl.Int32,
    "mean_gap_days": pl.Float64,
    "last_on": pl.Date,
}


def due_products(
    baskets: pl.DataFrame, allowed: pl.DataFrame, model: RepurchaseModel | None, as_of: date, most: int
) -> pl.DataFrame:
    """Return the products that each customer is likely to buy again within two weeks, likeliest first.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets`` of known customers, no giant ones.
    allowed
        ``product_id`` of what may be spoken of and suggested.
    model
        None: nothing is called due.

    Returns
    -------
    Frame of ``DUE``, at most ``most`` a customer. ``due_on`` is the last purchase and one mean gap; the next day where
    that is over.
    """
    known = describe_products(baskets, as_of)
    if model is None or known.is_empty():
        return pl.DataFrame(schema=DUE)
    gap = pl.duration(days=pl.col("mean_gap_days").round(0).clip(lower_bound=1).cast(pl.Int64))
    tomorrow = pl.lit(as_of + timedelta(days=1))
    likely = (
        known.with_columns(
            probability=pl.Series(model.probability(known)), due_on=pl.max_horizontal(pl.col("last_on") + gap, tomorrow)
        )
        .filter(pl.col("probability") >= LEAST_PROBABILITY)
        .join(allowed.select("product_id"), on="product_id", how="semi")
        .sort("customer_id", "probability", "product_id", descending=[False, True, False])
    )
    place = (pl.int_range(pl.len()).over("customer_id") + 1).cast(pl.Int32)
    return likely.with_columns(due_rank=place).filter(pl.col("due_rank") <= most).select(list(DUE))


def usual_baskets(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return the baskets of known customers that are not giant."""
    return baskets.filter(~pl.col("is_giant")).drop_nulls("customer_id")
