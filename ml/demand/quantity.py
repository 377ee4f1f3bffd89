"""How much of the response to a price is more units in a basket, not more baskets."""

from datetime import date

import polars as pl

from ml.demand.price_response import elasticities


def quantity_share(
    product_days: pl.DataFrame,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    elasticity: pl.DataFrame,
    through: date,
) -> float:
    """Return the share of the elasticity of units that buyers make by taking more units at once, 0 to 1.

    One number for the shop: 1 less the mean elasticity of the baskets that hold a product over that of its units.

    Parameters
    ----------
    product_days, products, through
        As for :func:`ml.demand.price_response.elasticities`.
    baskets
        Rows of ``features.ftr_baskets``.
    elasticity
        Its answer.

    Source
    ------
    Gupta (1988), Impact of sales promotions on when, what, and how much to buy, Journal of Marketing Research 25 (4).
    """
    held = (
        baskets.select(sold_on="basket_on", product_id="product_ids")
        .explode("product_id")
        .group_by("product_id", "sold_on")
        .agg(baskets=pl.len().cast(pl.Int64))
    )
    per_basket = pl.col("baskets") / pl.col("units")
    counted = (
        product_days.filter(pl.col("units") > 0)
        .join(held, on=["product_id", "sold_on"])
        .with_columns(revenue_cents=pl.col("revenue_cents") * per_basket, units=pl.col("baskets"))
    )
    of_baskets = elasticities(counted, products, through).select("product_id", basket_elasticity="elasticity")
    both = elasticity.join(of_baskets, on="product_id")
    whole, counted_part = (float(both[name].to_numpy().sum()) for name in ("elasticity", "basket_elasticity"))
    return min(max(1.0 - counted_part / whole, 0.0), 1.0) if whole else 0.0
