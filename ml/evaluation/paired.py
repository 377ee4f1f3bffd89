"""Two models over the same windows: differences paired by customer, on the whole and by segment."""

from collections.abc import Callable, Sequence

import polars as pl

from ml.evaluation.bootstrap import Interval, bootstrap_mean
from ml.evaluation.measured import Measured
from ml.evaluation.segments import NEW_PRODUCTS

Table = Callable[[Measured], pl.DataFrame]
"""Takes ``customer_id``, ``segment`` and a metric from a result."""


def paired(ours: Sequence[Measured], theirs: Sequence[Measured], metric: str, draws: int, seed: int) -> Interval:
    """Return the mean difference by customer over the windows that both were measured in; new customers apart.

    A customer's difference is the mean over its windows, so that one customer is one draw of the bootstrap.
    """
    return _gain(_differences(ours, theirs, lambda one: one.known, metric), draws, seed)


def paired_by_segment(
    ours: Sequence[Measured], theirs: Sequence[Measured], least: int, draws: int, seed: int
) -> dict[str, Interval]:
    """Return the differences in recall@20 by segment of customers, new ones too, and on new products.

    Parameters
    ----------
    least
        Segments with fewer customers are left out; for new products, with fewer customers who bought one.
    """
    table = pl.concat(
        [
            _differences(ours, theirs, lambda one: one.customers, "recall_20"),
            _differences(ours, theirs, lambda one: one.products.filter(segment=NEW_PRODUCTS), "recall_20"),
        ]
    )
    parts = table.sort("segment", "customer_id").partition_by("segment", as_dict=True, maintain_order=True)
    found = {str(name): part for (name,), part in parts.items() if part["customer_id"].n_unique() >= least}
    return {name: _gain(part, draws, seed) for name, part in found.items()}


def _gain(table: pl.DataFrame, draws: int, seed: int) -> Interval:
    own = table.group_by("customer_id").agg(pl.col("difference").mean()).sort("customer_id")
    return bootstrap_mean(own["difference"].to_numpy(), draws, seed)


def _differences(ours: Sequence[Measured], theirs: Sequence[Measured], table: Table, metric: str) -> pl.DataFrame:
    others = {other.origin: other for other in theirs}
    keys = ["customer_id", "segment"]
    tables = [pl.DataFrame(schema={"customer_id": pl.String, "segment": pl.String, "difference": pl.Float64})]
    for own in ours:
        if own.origin in others:
            other = table(others[own.origin]).select(*keys, theirs=metric)
            joined = table(own).join(other, on=keys, how="inner", maintain_order="left")
            tables.append(joined.select(*keys, difference=pl.col(metric) - pl.col("theirs")))
    return pl.concat(tables)
