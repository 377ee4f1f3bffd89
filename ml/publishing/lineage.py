"""Where published rows come from: the models of each published run are those registered, to the byte.

What Postgres alone can tell of it (the commit, the lock file, the deliveries) stands in dbt, with the other invariants.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache

from ml.errors import DataError, TemporaryError
from ml.publishing.audit import Check
from ml.settings import Settings
from ml.tracking import Tracking
from ml.warehouse import Warehouse

Run = tuple[str, int, str, str | None]
"""Scope, run, and as JSON the versions and the manifests of its models."""


def broken_lineage(settings: Settings) -> tuple[list[str], TemporaryError | None]:
    """Return, in words, each model of a published run that cannot be followed to its training and its files.

    With them, why nothing is known of the others: of those that were to be asked after when MLflow or Postgres stopped
    answering. None when all are known.
    """
    broken: list[str] = []
    try:
        # One by one: what was found stays when the next cannot be asked after.
        for link in _broken(Tracking(settings), _published(settings)):
            broken.append(link)
    except TemporaryError as error:
        return broken, error
    return broken, None


def unchanged_features(settings: Settings, as_of: date, run_id: int) -> Check:
    """Hold the features of the day to those that a run began with, since its stages read them one after the other.

    Raises
    ------
    DataError
        When the day's features are being built anew.
    """
    warehouse = Warehouse(settings, "ml")
    began = warehouse.read_view("ops.runs", {"run_id": run_id}, ["dbt_invocation_id"])["dbt_invocation_id"][0]
    now = warehouse.dbt_invocation(as_of)
    detail = "" if now == began else f"built by dbt's run {began} when it began, by {now} since"
    return Check("features_are_those_the_run_began_with", int(now != began), detail)


def _published(settings: Settings) -> list[Run]:
    warehouse = Warehouse(settings, "publisher")
    shown = warehouse.read_view("ops.published", columns=["run_id"])["run_id"].to_list()
    facts = ["scope", "run_id", "model_versions", "model_manifests"]
    return warehouse.read_view("ops.runs", {"run_id": shown}, facts, order_by=["run_id"]).rows() if shown else []


def _broken(tracking: Tracking, runs: Iterable[Run]) -> Iterator[str]:
    # Most scopes use the same few versions, and the files of each are fetched.
    registered = cache(lambda name, number: _registered(tracking, name, number))
    for scope, run_id, versions, manifests in runs:
        for name, number in json.loads(versions).items():
            # Null in runs from before it was noted.
            noted = None if manifests is None else json.loads(manifests).get(name, "")
            manifest, wrong = registered(name, number)
            if not wrong and noted is not None and noted != manifest:
                wrong = f"{name} {number}: its manifest is {manifest}, used was {noted!r}"
            if wrong:
                yield f"run {run_id} ({scope}): {wrong}"


def _registered(tracking: Tracking, name: str, number: int) -> tuple[str, str]:
    """Return the sha256 of a version's manifest, and in words what is wrong with it: empty where nothing is."""
    try:
        version = tracking.numbered(name, number).version
        if not tracking.is_complete(version):
            raise DataError(f"{name} {number}: training run {version.run_id} is not complete")
        if not version.tags.get("git_commit"):
            raise DataError(f"{name} {number}: no commit of the code that trained it")
    except DataError as error:
        return "", str(error)
    return version.manifest_sha256, ""
