"""How likely a customer buys a product again within two weeks, from when they bought it, and came, before.

A logistic regression over all customers and products with a rhythm (three baskets), fitted on the two-week windows just
past. A date alone, the last purchase and one mean gap, chooses worse than counting favourites on Complete Journey: real
gaps scatter widely, so that what is "not due yet" is bought and what is "given up" comes back. It is told beside the
probability, and is one of the things the regression looks at.

Source
------
Bhagat, Muralidharan, Lobzhanidze and Vishwanath (2018), Buy it again: modeling repeat purchase recommendations, KDD
(repeat purchases by counts, gaps and the time since).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

HORIZON_DAYS = 14
WINDOWS = 2
LEAST_BASKETS = 3
"""Two gaps: fewer are no rhythm."""
LEAST_OUTCOMES = 20
OFFSET = 0.05
"""Added before logarithms, as decayed counts may be near 0."""
Reals = NDArray[np.float64]
OWN = ("baskets", "days_since_last", "days_since_first", "decayed_30", "decayed_90", "mean_gap_days")
CUSTOMERS = ("visits", "days_since_visit", "visits_30", "visits_90")


def describe_products(baskets: pl.DataFrame, through: date) -> pl.DataFrame:
    """Return what the baskets until the evening of ``through`` say of each customer and product with a rhythm.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets`` of known customers, no giant ones.

    Returns
    -------
    ``customer_id``, ``product_id``, ``last_on``, ``OWN`` and ``CUSTOMERS``; days are counted from the next morning. By
    customer and product.
    """
    age = (pl.lit(through + timedelta(days=1)) - pl.col("basket_on")).dt.total_days()
    known = baskets.filter(pl.col("basket_on") <= through).select("customer_id", "basket_on", "product_ids", age=age)
    decayed = {days: (-pl.col("age") / days).exp().sum() for days in (30, 90)}
    lines = known.select("customer_id", "basket_on", "age", product_id="product_ids").explode("product_id")
    bought = lines.group_by("customer_id", "product_id").agg(
        baskets=pl.len().cast(pl.Int32),
        last_on=pl.col("basket_on").max(),
        days_since_last=pl.col("age").min(),
        days_since_first=pl.col("age").max(),
        decayed_30=decayed[30],
        decayed_90=decayed[90],
    )
    came = known.group_by("customer_id").agg(
        visits=pl.len(), days_since_visit=pl.col("age").min(), visits_30=decayed[30], visits_90=decayed[90]
    )
    gap = (pl.col("days_since_first") - pl.col("days_since_last")) / (pl.col("baskets") - 1)
    regular = bought.filter(pl.col("baskets") >= LEAST_BASKETS).with_columns(mean_gap_days=gap)
    return regular.filter(pl.col("mean_gap_days") > 0).join(came, on="customer_id").sort("customer_id", "product_id")


@dataclass(frozen=True)
class RepurchaseModel:
    """Weights of the regression.

    Attributes
    ----------
    mean, spread
        (features,) of the columns it was fitted on.
    weights, intercept
        (features,) and one number.
    """

    mean: Reals
    spread: Reals
    weights: Reals
    intercept: float

    def probability(self, described: pl.DataFrame) -> Reals:
        """Return (rows,) probabilities of being bought within the horizon, of :func:`describe_products`."""
        score = (_columns(described) - self.mean) / self.spread @ self.weights + self.intercept
        probability: Reals = 1 / (1 + np.exp(-score))
        return probability


def fit_repurchase(baskets: pl.DataFrame, through: date) -> RepurchaseModel | None:
    """Return a model fitted on the windows that end on or before ``through``; None where too little was bought in them.

    Parameters
    ----------
    baskets
        As for :func:`describe_products`.
    """
    columns, outcomes = [], []
    for back in range(1, WINDOWS + 1):
        origin = through - timedelta(days=HORIZON_DAYS * back)
        described = describe_products(baskets, origin)
        if described.height:
            columns.append(_columns(described))
            outcomes.append(bought_again(baskets, described, origin))
    if not columns:
        return None
    rows, outcome = np.concatenate(columns), np.concatenate(outcomes)
    if min(outcome.sum(), len(outcome) - outcome.sum()) < LEAST_OUTCOMES:
        return None
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    fitted = LogisticRegression(max_iter=1000).fit((rows - mean) / spread, outcome)
    return RepurchaseModel(mean, spread, fitted.coef_[0], float(fitted.intercept_[0]))


def bought_again(baskets: pl.DataFrame, described: pl.DataFrame, through: date) -> Reals:
    """Return (rows,) 1 where a described product was bought within the horizon after ``through``, else 0."""
    last = through + timedelta(days=HORIZON_DAYS)
    after = baskets.filter(pl.col("basket_on") > through, pl.col("basket_on") <= last)
    bought = after.select("customer_id", product_id="product_ids").explode("product_id").unique()
    keys = ["customer_id", "product_id"]
    hits = described.select(keys).join(bought.with_columns(hit=1.0), on=keys, how="left", maintain_order="left")
    return hits["hit"].fill_null(0.0).to_numpy()


def _columns(described: pl.DataFrame) -> Reals:
    """Return (rows, features): logarithms, how overdue, and shares of the customer's visits."""
    names = (*OWN, *CUSTOMERS)
    logs = np.log(described.select(names).to_numpy().astype(np.float64) + OFFSET)
    of = {name: logs[:, place] for place, name in enumerate(names)}
    overdue = of["days_since_last"] - of["mean_gap_days"]
    shares = [of["decayed_30"] - of["visits_30"], of["decayed_90"] - of["visits_90"]]
    return np.column_stack([logs, overdue, overdue**2, *shares])
