"""One small simulated shop, taken through every stage once; each step is kept, so that a fault can begin at any.

Its first run is published and stands for yesterday's content. The second asks for other bundles, so that the two are
never taken for each other. What a step leaves behind on an undisturbed way is what it has to lead to after a fault.
"""

import shutil
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from psycopg2.extensions import connection as Connection

from local.postgres import Server
from ml.params import Context, RunParams
from ml.settings import (
    CandidateSettings,
    DbtSettings,
    OptimizerSettings,
    PreferenceSettings,
    Settings,
    SourceSettings,
    TrackingSettings,
)
from tests.conftest import ROLES, owner_of, settings_of
from tests.faults.children import attempt
from tests.faults.content import Content, broken_invariants, compiled_invariants, content

AS_OF = date(2017, 12, 3)
NEXT = AS_OF + timedelta(days=1)
"""A day that is loaded and no more."""
LIVE = "faults"
"""The database of every case, made anew from the copy of the step before."""

ASKED: dict[str, Any] = {"cost_per_product": 0.001, "min_joint_probability": 0.001}
BEFORE = Context(AS_OF, "before", RunParams(bundle_size=3, source="simulated_shop", **ASKED))
NOW = Context(AS_OF, "now", RunParams(bundle_size=2, **ASKED))
AGAIN = replace(NOW, params=replace(NOW.params, retrain=True))
MEASURED = Context(AS_OF, "measured", RunParams(scenario="measurements"))
LOADED = Context(NEXT, "loaded", RunParams(source="simulated_shop"))

BEGINNING = (
    "load_raw",
    "build_features",
    "train_association",
    "train_preference",
    "propose_candidates",
    "optimise_bundles",
    "list_bundles",
    "audit_bundles",
    "publish_bundles",
)
STEPS: dict[str, tuple[str, Context]] = {
    # Stage, then the step whose copy it begins on.
    "load_raw": ("published", LOADED),
    "build_features": ("published", BEFORE),
    "train_association": ("published", AGAIN),
    "train_preference": ("published", AGAIN),
    "propose_candidates": ("published", NOW),
    "optimise_bundles": ("propose_candidates", NOW),
    "list_bundles": ("optimise_bundles", NOW),
    "audit_bundles": ("list_bundles", NOW),
    "publish_bundles": ("audit_bundles", NOW),
    "measure_drift": ("publish_bundles", MEASURED),
}
SAME_AS_BEFORE = ("build_features", "train_association", "train_preference")
"""Stages that do again what was done for the first run: they lead to what is there, so they need not be gone before."""


def small(server: Server, home: Path) -> Settings:
    """Return settings of a shop that takes seconds."""
    return settings_of(server, LIVE).model_copy(
        update={
            "git_commit": "0" * 40,
            "min_product_baskets": 10,
            "tracking": TrackingSettings(uri=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"),
            "dbt": DbtSettings(target_dir=home / "dbt"),
            "source": SourceSettings(
                name="simulated_shop", simulated_customers=60, simulated_products=24, simulated_days=100
            ),
            "preference": PreferenceSettings(
                trees=10,
                learning_rate=0.1,
                min_leaf_rows=20,
                min_customer_baskets=4,
                gate_windows=1,
                compared=("global_popularity",),
            ),
            "candidates": CandidateSettings(per_customer=12, popular=12, co_purchased=6),
            "optimizer": OptimizerSettings(catalogue_sample=3, bootstrap_draws=100),
        }
    )


@dataclass
class World:
    """The prepared shop: copies of the database and of MLflow after each step, and what each step leads to."""

    server: Server
    home: Path
    settings: Settings
    invariants: dict[str, str] = field(default_factory=dict)
    led_to: dict[str, Content] = field(default_factory=dict)

    def prepare(self) -> None:
        """Go through every stage once, and keep each step."""
        (self.home / "mlflow").mkdir()
        self.execute(f"create database {LIVE} template shop owner bundles_owner", *_rights(LIVE))
        for stage in BEGINNING:
            self._take(stage, BEFORE)
        self._keep("published")
        self.invariants = compiled_invariants(self.settings, AS_OF)
        for stage, (start, context) in STEPS.items():
            if stage in SAME_AS_BEFORE:
                self.led_to[stage] = self.led_to["published"]
                continue
            self.begin(start)
            self._take(stage, context)
            self._keep(stage)

    def begin(self, step: str) -> None:
        """Make everything as it was after a step."""
        self.execute(f"drop database if exists {LIVE} with (force)")
        self.execute(f"create database {LIVE} template kept_{step} owner bundles_owner", *_rights(LIVE))
        shutil.rmtree(self.home / "mlflow")
        shutil.copytree(self.home / f"mlflow_{step}", self.home / "mlflow")

    def begin_of(self, stage: str) -> Context:
        """Make everything as it is before a stage, and return the context it is run with."""
        start, context = STEPS[stage]
        self.begin(start)
        return context

    def content(self) -> Content:
        """Return what the database and MLflow hold now."""
        with closing(self.owner()) as connection:
            return content(connection, self.home / "mlflow" / "mlflow.db")

    def broken(self) -> list[str]:
        """Return the invariants that do not hold now."""
        with closing(self.superuser(LIVE)) as connection:
            return broken_invariants(connection, self.invariants)

    def owner(self) -> Connection:
        """Return a connection of the owner to the database of the case."""
        return owner_of(self.server, LIVE)

    def superuser(self, database: str = "postgres") -> Connection:
        """Return a connection that may do anything, committing each statement."""
        password = self.server.passwords["POSTGRES_PASSWORD"]
        where = {"host": "127.0.0.1", "port": self.server.port, "dbname": database}
        connection = psycopg2.connect(user="postgres", password=password, **where)  # type: ignore[call-overload]
        connection.autocommit = True
        return connection

    def execute(self, *statements: str) -> None:
        """Run statements as superuser."""
        with closing(self.superuser()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def wait_for(self, query: str, wanted: int, seconds: float = 20) -> None:
        """Return once a query gives the number that is waited for."""
        deadline = time.monotonic() + seconds
        with closing(self.superuser(LIVE)) as connection, connection.cursor() as cursor:
            while True:
                cursor.execute(query)
                ((found,),) = cursor.fetchall()
                if found == wanted:
                    return
                assert time.monotonic() < deadline, f"{query}: {found}, not {wanted}"
                time.sleep(0.05)

    def _take(self, stage: str, context: Context) -> None:
        done = attempt(self.settings, stage, context, self.home)
        assert done.code == 0, f"{stage} of {context.started_by}: {done.words}"

    def _keep(self, step: str) -> None:
        self.led_to[step] = self.content()
        self.execute(f"create database kept_{step} template {LIVE}")
        shutil.copytree(self.home / "mlflow", self.home / f"mlflow_{step}")


def kill_postgres(server: Server) -> None:
    """Kill the server and all its processes, as a crash of the machine would; what it had written stays."""
    process = server.process()
    assert process is not None
    family = [*process.children(recursive=True), process]
    # First stopped, so that the server starts no other process, and cleans nothing up, while its own are killed.
    process.suspend()
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, timeout=30)


def wait_until_stopped(pid: int, seconds: float = 120) -> None:
    """Return once a process has stopped itself."""
    deadline = time.monotonic() + seconds
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE, "it ended before it came to the point"
        assert time.monotonic() < deadline, "it has not come to the point"
        time.sleep(0.02)


def _rights(database: str) -> list[str]:
    return [
        f"revoke all on database {database} from public",
        f"grant connect on database {database} to {', '.join(f'bundles_{role}' for role in ROLES)}",
        f"grant temporary on database {database} to bundles_loader, bundles_transformer, bundles_ml",
    ]
