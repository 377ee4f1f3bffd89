"""Dropping the runs that nobody needs, also of scopes in which nothing is published any more."""

import logging

from ml.errors import ShopError
from ml.publishing.publish import KEPT_RUNS
from ml.settings import Settings
from ml.warehouse import Warehouse

SECONDS = 10
"""Of each scope; what is not dropped by then is left to the next night."""

log = logging.getLogger(__name__)


def drop_unneeded_runs(settings: Settings) -> None:
    """Drop what ``ops.drop_old_runs`` lets go, in every scope that has runs.

    A publish does the same for its scope, but nights that fail publish nothing, and each leaves the rows of a run.
    Whoever calls this has other work, which it neither fails nor holds up for long.
    """
    publisher = Warehouse(settings, "publisher")
    try:
        for scope in publisher.read_view("ops.runs", columns=["scope"])["scope"].unique().sort():
            _drop(publisher, scope)
    except ShopError as error:
        log.warning("no old runs were dropped: %s", error)


def _drop(publisher: Warehouse, scope: str) -> None:
    try:
        (((dropped,),),) = publisher.call_each("ops.drop_old_runs", [{"scope": scope, "keep": KEPT_RUNS}], SECONDS)
    except ShopError as error:
        log.warning("%s: no old runs were dropped: %s", scope, error)
        return
    if dropped:
        log.info("%s: the rows of %s old runs were dropped", scope, dropped)
