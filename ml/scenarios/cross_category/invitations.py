"""Whom to invite to a promotion, and what to mention: those from whom it is expected to earn most.

The prices hold for everybody, invited or not. What an invitation adds to them nobody knows without an experiment; so
its margin is that part of the promotion's which is expected of the customer, and not an effect of inviting.
"""

import numpy as np
import polars as pl

from ml.demand.price_response import units_ratio
from ml.demand.visits import expected_visits
from ml.params import RunParams

MENTIONED = 3
"""Products an invitation names at most."""


def chances(candidates: pl.DataFrame, promoted: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Return what is expected of each customer and promoted product among the customer's candidates.

    Baskets of the period are taken as independent, each with the product with probability P. The margin reckons with P
    times the ratio of units, at most 1. The chance of coming at all does not: extra units are for the most part more
    units of those who buy anyway. On Complete Journey's weeks before 2017-12-03, 1.4 and 2.3 times those who came were
    expected if the ratio was applied, and .86 and .91 times without it.

    Parameters
    ----------
    candidates
        ``customer_id``, ``product_id``, ``preference``.
    promoted
        Rows of :func:`ml.scenarios.cross_category.choice.options`.
    visits
        Of :func:`ml.demand.visits.expected_visits`.

    Returns
    -------
    pl.DataFrame
        ``customer_id``, ``product_id``, ``chance`` of buying in the period, and ``margin_cents`` that the promotion
        adds by it.
    """
    found = candidates.select("customer_id", "product_id", "preference").join(promoted, on="product_id")
    found = found.join(visits, on="customer_id")
    ratio = units_ratio(found["elasticity"].to_numpy(), found["felt_share"].to_numpy())
    usual = found["preference"].to_numpy()
    now = np.minimum(usual * ratio, 1.0)
    times = found["visits"].to_numpy()
    before, after = usual * times, now * times
    per_extra = found.select(
        pl.col("promoted_price_cents")
        - pl.col("cost")
        + pl.col("halo_cents")
        - pl.col("taken_cents")
        - pl.col("pulled_cents")
    ).to_series()
    given = (found["price_cents"] - found["promoted_price_cents"]).to_numpy()
    margin = found["units_per_basket"].to_numpy() * ((after - before) * per_extra.to_numpy() - before * given)
    return found.select(
        "customer_id", "product_id", chance=pl.Series(1 - (1 - usual) ** times), margin_cents=pl.Series(margin)
    )


def invitations(
    candidates: pl.DataFrame, promoted: pl.DataFrame, customers: pl.DataFrame, params: RunParams
) -> pl.DataFrame:
    """Return the rows of ``ml.promotion_invitations``, without the run: at most ``promotion_audience``, best first."""
    expected = chances(candidates, promoted, expected_visits(customers, params.promotion_days))
    worth = expected.filter(pl.col("margin_cents") > 0)
    mentioned = worth.sort("customer_id", "margin_cents", "product_id", descending=[False, True, False])
    mentioned = mentioned.group_by("customer_id", maintain_order=True).head(MENTIONED)
    by_customer = mentioned.group_by("customer_id", maintain_order=True).agg(
        product_ids="product_id",
        probability=1 - (1 - pl.col("chance")).product(),
        expected_margin_cents=pl.col("margin_cents").sum(),
    )
    return (
        by_customer.sort("expected_margin_cents", "customer_id", descending=[True, False])
        .head(params.promotion_audience)
        .with_columns(invitation_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
    )
