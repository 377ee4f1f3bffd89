"""Where published rows come from: the models of each published run are those registered, to the byte.

What Postgres alone can tell of it (the commit, the lock file, the deliveries) stands in dbt, with the other invariants.
"""

import json
from collections.abc import Iterator

from ml.errors import DataError
from ml.settings import Settings
from ml.tracking import Tracking
from ml.warehouse import Warehouse


def broken_lineage(settings: Settings) -> list[str]:
    """Return, in words, each model of a published run that cannot be followed to its training and its files.

    Raises
    ------
    TemporaryError
        When Postgres or MLflow does not answer: then nothing is known of the models.
    """
    warehouse = Warehouse(settings, "publisher")
    shown = warehouse.read_view("ops.published", columns=["run_id"])["run_id"].to_list()
    facts = ["scope", "run_id", "model_versions", "model_manifests"]
    runs = warehouse.read_view("ops.runs", {"run_id": shown}, facts, order_by=["run_id"]) if shown else None
    return [] if runs is None else list(_broken(Tracking(settings), runs.rows()))


def _broken(tracking: Tracking, runs: list[tuple[str, int, str, str | None]]) -> Iterator[str]:
    for scope, run_id, versions, manifests in runs:
        for name, number in json.loads(versions).items():
            # Null in runs from before it was noted.
            noted = None if manifests is None else json.loads(manifests).get(name, "")
            try:
                version = tracking.numbered(name, number).version
                if not tracking.is_complete(version):
                    raise DataError(f"{name} {number}: training run {version.run_id} is not complete")
                if noted is not None and noted != version.manifest_sha256:
                    raise DataError(f"{name} {number}: its manifest is {version.manifest_sha256}, used was {noted!r}")
                if not version.tags.get("git_commit"):
                    raise DataError(f"{name} {number}: no commit of the code that trained it")
            except DataError as error:
                yield f"run {run_id} ({scope}): {error}"
