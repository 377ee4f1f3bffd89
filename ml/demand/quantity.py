"""How much of the response to a discount is more units in a basket, not more baskets, and how either follows depth."""

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from ml.demand.deal import NO_DEAL, Deal, deal_effect
from ml.demand.discounted import DiscountedWeeks
from ml.demand.panel import weekly_panel


@dataclass(frozen=True)
class Quantity:
    """The response to a discount, told apart by what buyers do.

    Attributes
    ----------
    share
        Of the response in units, what buyers do by taking more units at once, 0 to 1.
    deal
        What being on offer does to the units a buyer takes.
    buyers_deal
        What it does to how many buy.
    """

    share: float
    deal: Deal = NO_DEAL
    buyers_deal: Deal = NO_DEAL


def quantity_response(
    product_days: pl.DataFrame, baskets: pl.DataFrame, products: pl.DataFrame, through: date
) -> Quantity:
    """Return how buyers respond to a discount; one answer for the shop, all new buyers where discounts tell nothing.

    In discounted weeks, both the units and the baskets that hold a product are compared with usual weeks near by: what
    the baskets do not account for is quantity, of the response to a usual discount as of its part at any depth. (The
    same ratio of elasticities, which live on changes of the list price too, makes quantity .55 of the simulated shop's
    response to an offer; .80 is true.)

    Parameters
    ----------
    product_days, products, through
        As for :func:`ml.demand.price_response.elasticities`.
    baskets
        Rows of ``features.ftr_baskets``.

    Source
    ------
    Gupta (1988), Impact of sales promotions on when, what, and how much to buy, Journal of Marketing Research 25 (4).
    """
    units, buyers = (
        _deal(days, products, through) for days in (product_days, _baskets_as_units(product_days, baskets))
    )
    share = min(max(1.0 - buyers.response / units.response, 0.0), 1.0) if units.response > 0 else 0.0
    if share == 0:
        return Quantity(0.0, NO_DEAL, buyers)
    left = (units.share - buyers.share * (1 - share)) / share
    return Quantity(share, replace(units, share=min(max(left, 0.0), 1.0)), buyers)


def _deal(days: pl.DataFrame, products: pl.DataFrame, through: date) -> Deal:
    weeks = DiscountedWeeks.of(weekly_panel(days, products, through), products)
    return NO_DEAL if weeks is None else deal_effect(list(weeks.events()))


def _baskets_as_units(product_days: pl.DataFrame, baskets: pl.DataFrame) -> pl.DataFrame:
    """Return the days of sale with the baskets that hold a product in place of its units, at the same prices."""
    held = (
        baskets.select(sold_on="basket_on", product_id="product_ids")
        .explode("product_id")
        .group_by("product_id", "sold_on")
        .agg(baskets=pl.len().cast(pl.Int64))
    )
    per_basket = pl.col("baskets") / pl.col("units")
    return (
        product_days.filter(pl.col("units") > 0)
        .join(held, on=["product_id", "sold_on"])
        .with_columns(revenue_cents=pl.col("revenue_cents") * per_basket, units=pl.col("baskets"))
    )
