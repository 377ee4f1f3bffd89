"""Every scope with a published run that used one version of each model: for tests of what must hold of such runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg2.extensions

from ml.settings import Settings
from ml.tracking import Tracking
from ml.versions import lineage_of
from ml.warehouse import Warehouse

Connection = psycopg2.extensions.connection
AS_OF = date(2024, 3, 31)
SCOPES = ("personal", "cross_category", "bundle_sale", "replenishment", "launch", "customer_care", "measurements")
_PUBLISHED = """
with run as (
    insert into ops.runs (
        scope, as_of, started_by, seed, status, git_commit, dbt_invocation_id, model_versions, lock_sha256, finished_at
    )
    values (
        %(scope)s, '2024-03-31', 'test', 1, 'published', 'abc', 'dbt',
        '{"preference": 1, "association": 1}', repeat('a', 64), now()
    )
    returning run_id, as_of
), pointer as (
    insert into ops.published (scope, run_id, as_of, published_at)
    select %(scope)s, run_id, as_of, '2024-04-01 06:00+00' from run
), log as (
    insert into ops.publish_log (scope, run_id, epoch, as_of, action, actor, published_at)
    select %(scope)s, run_id, 5, as_of, 'publish', 'test', '2024-04-01 06:00+00' from run
)
select run_id from run
"""


def publish_everywhere(settings: Settings, owner: Connection, home: Path) -> dict[str, int]:
    """Register a version of each model, made of files in ``home``, and return the run that each scope shows."""
    versions, runs, tracking = [], {}, Tracking(settings)
    for name in ("preference", "association"):
        folder = home / name
        folder.mkdir()
        (folder / "model.txt").write_text(f"what {name} learnt")
        with tracking.run(name, "trained", {}) as run:
            versions.append(tracking.register(name, folder, run, {"data_cut_off": AS_OF, "git_commit": "abc"}))
    with owner.cursor() as cursor:
        for scope in SCOPES:
            cursor.execute(_PUBLISHED, {"scope": scope})
            ((run_id,),) = cursor.fetchall()
            Warehouse(settings, "ml").call("ops.note_run", run_id=run_id, patch=lineage_of(*versions))
            runs[scope] = run_id
    return runs


@contextmanager
def restored(owner: Connection) -> Iterator[psycopg2.extensions.cursor]:
    """Give a cursor, and afterwards give the runs back the models that they had noted."""
    with owner.cursor() as cursor:
        cursor.execute("select model_versions::text, model_manifests::text, run_id from ops.runs")
        kept = cursor.fetchall()
        try:
            yield cursor
        finally:
            cursor.executemany("update ops.runs set model_versions = %s, model_manifests = %s where run_id = %s", kept)
