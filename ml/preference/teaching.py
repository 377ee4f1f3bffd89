"""Whose baskets teach a sequence model."""

import polars as pl

from ml.influence import influence, ordinary
from ml.preference.actions import lines_of


def before(baskets: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return the baskets of days before ``day``, in days since 1970."""
    return baskets.filter(pl.col("basket_on").cast(pl.Int32) < day)


def teaching(baskets: pl.DataFrame, events: pl.DataFrame | None) -> pl.DataFrame:
    """Return the baskets without giant ones, and without those of customers of unusually many baskets or events.

    Parameters
    ----------
    events
        As :func:`ml.preference.actions.lines_of` takes them; its runs up to the last basket are what is counted.
    """
    usual = ordinary(baskets)
    if events is None or events.is_empty():
        return usual
    lines = lines_of(events).filter(pl.col("occurred_on") <= baskets.select(pl.col("basket_on").max()).item())
    runs = lines.unique(["customer_id", "run"])
    return usual.join(influence(runs), on="customer_id", how="anti", maintain_order="left")
