"""The bundles that people read now, for runs that may replace only some of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ml.optimizer.problem import Bundle
from ml.scenarios.slates import Slate


@dataclass(frozen=True)
class Live:
    """Products of each live bundle, by customer, best bundle first."""

    bundles: Mapping[str, list[list[str]]]

    @classmethod
    def of(cls, bundles: pl.DataFrame, items: pl.DataFrame) -> "Live":
        """Return the live bundles from rows of ``ml.bundles`` and ``ml.bundle_items`` of one run."""
        held = (
            items.sort("bundle_id", "position")
            .group_by("bundle_id", maintain_order=True)
            .agg("product_id")
            .join(bundles.select("customer_id", "bundle_id", "bundle_rank"), on="bundle_id")
            .sort("customer_id", "bundle_rank")
            .group_by("customer_id", maintain_order=True)
            .agg("product_id")
        )
        return cls(dict(held.select("customer_id", "product_id").iter_rows()))

    def positions(self, slate: Slate) -> tuple[Bundle | None, ...]:
        """Return where the products of a customer's live bundles stand among the candidates; None where not all do."""
        return tuple(slate.positions(products) for products in self.bundles.get(slate.customer_id, []))

    def products(self) -> pl.DataFrame:
        """Return ``customer_id``, ``product_id`` of all that is in a live bundle, each once."""
        rows = [
            (customer, product)
            for customer, bundles in self.bundles.items()
            for product in sorted({product for bundle in bundles for product in bundle})
        ]
        return pl.DataFrame(rows, schema={"customer_id": pl.String, "product_id": pl.String}, orient="row")
