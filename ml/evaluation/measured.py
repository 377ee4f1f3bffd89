"""What one model showed in one window of held-out baskets: by customer, by segment, and on the whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from ml.evaluation.bootstrap import Interval, bootstrap_mean
from ml.evaluation.metrics import (
    base_rate_brier,
    brier,
    by_customer,
    expected_calibration_error,
    ranked,
    reliability,
    repeat_and_explore,
)
from ml.evaluation.segments import NEW_CUSTOMERS

KS = (1, 5, 10, 20, 50)
SHOWN = 20
"""Products a customer is taken to see, for coverage and the segments of products."""


@dataclass(frozen=True)
class Asked:
    """A window's questions, the same for every model.

    Attributes
    ----------
    origin
        Last day a model may have learnt from.
    targets
        ``customer_id``, ``cut``, ``product_ids``: the baskets to be foretold, those of new customers too. Where nothing
        was bought there is nothing to find: such a customer counts in calibration and coverage only.
    customers
        ``customer_id``, ``segment``, of :func:`ml.evaluation.segments.customer_segments`.
    products
        ``product_id``, ``segment``, of :func:`ml.evaluation.segments.product_segments`.
    """

    origin: date
    targets: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame


@dataclass(frozen=True)
class Measured:
    """Results of one model in one window.

    Attributes
    ----------
    origin
        Last day the window's models may have learnt from.
    customers
        ``customer_id``, ``segment``, and the metrics of :func:`ml.evaluation.metrics.by_customer`.
    facts
        Means over the customers that are not new; their calibration, and coverage.
    segments
        ``segment``, ``customers``, ``recall_20`` with ``low`` and ``high``, ``ndcg_10`` and ``ece`` (null for segments
        of products, which are not ranked apart).
    products
        ``customer_id``, ``segment`` of products, ``recall_20``: which share of what the customer bought of the segment
        stands among the 20 shown. New customers are not in it.
    reliability
        Of :func:`ml.evaluation.metrics.reliability`.
    """

    origin: date
    customers: pl.DataFrame
    facts: Mapping[str, float]
    segments: pl.DataFrame
    products: pl.DataFrame
    reliability: pl.DataFrame

    @property
    def known(self) -> pl.DataFrame:
        """Return the rows of ``customers`` that are not new."""
        return self.customers.filter(pl.col("segment") != NEW_CUSTOMERS)

    def interval(self, metric: str, draws: int, seed: int) -> Interval:
        """Return the mean of a metric over the customers that are not new, with its interval."""
        return bootstrap_mean(self.known[metric].to_numpy(), draws, seed)


def measured(scored: pl.DataFrame, asked: Asked, draws: int, seed: int) -> Measured:
    """Return what a model's ``scored`` candidates (labelled, with ``sources``) show."""
    sizes = asked.targets.select("customer_id", products=pl.col("product_ids").list.len())
    customers = by_customer(scored, sizes, KS).join(asked.customers, on="customer_id", maintain_order="left")
    known = customers.filter(pl.col("segment") != NEW_CUSTOMERS)
    rows = scored.join(asked.customers, on="customer_id", maintain_order="left")
    judged = rows.filter(pl.col("segment") != NEW_CUSTOMERS)
    facts = {name: _mean(known[name]) for name in known.columns if known[name].dtype == pl.Float64}
    held = sizes.join(known.select("customer_id"), on="customer_id", how="semi")
    for kind, part in repeat_and_explore(judged, held).items():
        if part.height:
            facts[f"{kind}_recall_10"] = _mean(part["recall_10"])
    probability, outcome = judged["preference"].to_numpy(), judged["is_bought"].cast(pl.Float64).to_numpy()
    facts |= {
        "brier": brier(probability, outcome),
        "base_rate_brier": base_rate_brier(outcome),
        "ece": expected_calibration_error(probability, outcome),
        **_coverage(judged, asked),
    }
    newcomers = customers.filter(pl.col("segment") == NEW_CUSTOMERS)
    if newcomers.height:
        facts["new_customers_recall_20"] = _mean(newcomers["recall_20"])
    products = _products(judged, asked)
    segments = pl.concat([_of_customers(customers, rows, draws, seed), _of_products(products, draws, seed)])
    return Measured(asked.origin, customers, facts, segments, products, reliability(probability, outcome))


def _coverage(judged: pl.DataFrame, asked: Asked) -> dict[str, float]:
    """Return shares of the customers that get a score above 0, and of the catalogue that somebody is shown."""
    customers = asked.customers.filter(pl.col("segment") != NEW_CUSTOMERS).height
    top = ranked(judged, SHOWN).filter(pl.col("preference") > 0)
    return {
        "customer_coverage": top["customer_id"].n_unique() / max(1, customers),
        "product_coverage_20": top["product_id"].n_unique() / max(1, asked.products["product_id"].n_unique()),
    }


def _of_customers(customers: pl.DataFrame, rows: pl.DataFrame, draws: int, seed: int) -> pl.DataFrame:
    found = []
    for (name,), part in customers.sort("segment", "customer_id").partition_by("segment", as_dict=True).items():
        recall = bootstrap_mean(part["recall_20"].to_numpy(), draws, seed)
        own = rows.filter(pl.col("segment") == name)
        probability, outcome = own["preference"].to_numpy(), own["is_bought"].cast(pl.Float64).to_numpy()
        ece = expected_calibration_error(probability, outcome)
        found.append((name, part.height, recall.value, recall.low, recall.high, _mean(part["ndcg_10"]), ece))
    return pl.DataFrame(found, schema=SEGMENT_COLUMNS, orient="row").sort("segment")


def _products(judged: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Return ``products`` of :class:`Measured`."""
    hits = ranked(judged, SHOWN).filter("is_bought").select("customer_id", "product_id", hit=pl.lit(1.0))
    bought = asked.targets.select("customer_id", product_id="product_ids").explode("product_id")
    return (
        bought.join(judged.select("customer_id").unique(), on="customer_id", how="semi")
        .join(asked.products, on="product_id")
        .join(hits, on=["customer_id", "product_id"], how="left")
        .group_by("segment", "customer_id")
        .agg(recall_20=pl.col("hit").fill_null(0).mean())
        .sort("segment", "customer_id")
        .select("customer_id", "segment", "recall_20")
    )


def _of_products(products: pl.DataFrame, draws: int, seed: int) -> pl.DataFrame:
    found = []
    for (name,), part in products.partition_by("segment", as_dict=True).items():
        recall = bootstrap_mean(part["recall_20"].to_numpy(), draws, seed)
        found.append((name, part.height, recall.value, recall.low, recall.high, None, None))
    return pl.DataFrame(found, schema=SEGMENT_COLUMNS, orient="row").sort("segment")


SEGMENT_COLUMNS = {
    "segment": pl.String,
    "customers": pl.Int64,
    "recall_20": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "ndcg_10": pl.Float64,
    "ece": pl.Float64,
}


def _mean(values: pl.Series) -> float:
    return float(values.mean()) if len(values) else float("nan")  # type: ignore[arg-type]
