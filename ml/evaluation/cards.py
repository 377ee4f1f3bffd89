"""A model's card: what it is, what it was judged on, what it cannot do, and how to go back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from ml.evaluation.bootstrap import Interval


@dataclass(frozen=True)
class Card:
    """Facts of a card; :meth:`markdown` writes them down.

    Attributes
    ----------
    model
        Name of the registered model.
    kind, about
        Kind of the model, and what it is in a sentence or two.
    facts
        Data, cut-offs, recipe and lineage, by name.
    metrics
        With their intervals, on the newest window.
    segments
        Of :class:`ml.evaluation.measured.Measured`; no rows where there are none.
    limits
        What it is known not to do well.
    reason
        What the gate says.
    """

    model: str
    kind: str
    about: str
    as_of: date
    facts: Mapping[str, object]
    metrics: Mapping[str, Interval]
    segments: pl.DataFrame
    limits: Sequence[str]
    reason: str

    def markdown(self) -> str:
        """Return the card."""
        facts = "\n".join(f"- {name}: {value}" for name, value in self.facts.items())
        limits = "\n".join(f"- {one}" for one in self.limits)
        rows = [f"| {name} | {one.value:.4f} | {_range(one)} |" for name, one in self.metrics.items()]
        parts = [
            f"# {self.model}: {self.kind}, {self.as_of}\n\n{self.about}",
            f"## Data and recipe\n\n{facts}",
            "## Measured on baskets it had not seen\n\n| metric | value | 95 % interval by customer |\n|---|---|---|\n"
            + "\n".join(rows),
            *([f"## By segment\n\n{_segments(self.segments)}"] if self.segments.height else []),
            f"## Known limits\n\n{limits}",
            f"## The gate\n\n{self.reason}",
            "## Going back\n\nMove the alias `champion` of the registered model to an older version, in MLflow's page "
            "of the model or by its client. The next run notices it, records it in `ops.promotions` and holds this "
            "version's recipe back until its tag `rolled_back` is deleted. To stop promotions, set the tag "
            "`freeze_promotion` of the registered model to `true`.",
        ]
        return "\n\n".join(parts) + "\n"


def _segments(table: pl.DataFrame) -> str:
    rows = []
    for name, customers, recall, low, high, ndcg, ece in table.iter_rows():
        rest = " | ".join("" if value is None else f"{value:.4f}" for value in (ndcg, ece))
        rows.append(f"| {name} | {customers} | {recall:.4f} [{low:.4f}, {high:.4f}] | {rest} |")
    return "| segment | customers | recall@20 | NDCG@10 | ECE |\n|---|---|---|---|---|\n" + "\n".join(rows)


def _range(one: Interval) -> str:
    return "" if one.low != one.low else f"[{one.low:.4f}, {one.high:.4f}]"
