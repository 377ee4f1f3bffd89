"""The four assets that chain the day, and how a task announces one."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset, BaseOperator

from shared.as_of import as_of

RAW = Asset(name="raw", uri="shop://bundles/raw")
FEATURES = Asset(name="features", uri="shop://bundles/features")
MODELS = Asset(name="models", uri="shop://bundles/models")
BUNDLES = Asset(name="bundles", uri="shop://bundles/bundles")


def emit(context: Mapping[str, Any], asset: Asset) -> None:
    """Announce ``asset`` for this run's as-of date.

    An event without a partition key starts nothing, so the key is always given: a run by hand then starts the
    rest of the chain as the clock does. Where the run has the key already, it stays one event.
    """
    context["outlet_events"][asset].add_partitions(as_of(context))


class EmitAsset(BaseOperator):
    """Announces an asset after a group of tasks none of which speaks for the whole."""

    def __init__(self, *, asset: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset

    def execute(self, context: Mapping[str, Any]) -> None:
        """Announce the asset."""
        emit(context, self.asset)
