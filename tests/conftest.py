"""One throw-away Postgres for each process of tests; each module works in a fresh copy of the migrated database."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from local.postgres import Server
from local.temporary import temporary_server
from ml.settings import Settings, WarehouseSettings
from tests.stack import stack  # noqa: F401 - a fixture for the whole session

ROOT = Path(__file__).resolve().parent.parent
ROLES = ("loader", "ml", "publisher", "analyst", "transformer")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The cluster of this process of tests."""
    with temporary_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@contextmanager
def fresh_database(server: Server, name: str) -> Iterator[str]:
    """Give a fresh copy of the migrated database ``shop``, dropped afterwards."""
    statements = [
        f"create database {name} template shop owner bundles_owner",
        f"revoke all on database {name} from public",
        f"grant connect on database {name} to {', '.join(f'bundles_{role}' for role in ROLES)}",
        f"grant temporary on database {name} to bundles_loader, bundles_transformer, bundles_ml",
    ]
    _as_superuser(server, f"drop database if exists {name} with (force)", *statements)
    yield name
    _as_superuser(server, f"drop database if exists {name} with (force)")


def settings_of(server: Server, database: str) -> Settings:
    """Return settings that point at a database of the server."""
    passwords = {f"{role}_password": server.passwords[f"BUNDLES_WAREHOUSE__{role.upper()}_PASSWORD"] for role in ROLES}
    warehouse = WarehouseSettings(port=server.port, database=database, **passwords)  # type: ignore[arg-type]
    return Settings(warehouse=warehouse, threads=1)


@pytest.fixture(scope="module")
def database(postgres: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the module's own database."""
    with fresh_database(postgres, "test_" + request.module.__name__.rsplit(".", 1)[-1].lower()[:50]) as name:
        yield name


@pytest.fixture(scope="module")
def settings(postgres: Server, database: str) -> Settings:
    """Settings that point at the module's database."""
    return settings_of(postgres, database)


@pytest.fixture(scope="module")
def warehouse_env(postgres: Server, database: str) -> dict[str, str]:
    """The environment with which child processes (dbt, stages) reach the module's database."""
    return {
        **os.environ,
        **{name: value for name, value in postgres.passwords.items() if name.startswith("BUNDLES_")},
        "BUNDLES_WAREHOUSE__HOST": "127.0.0.1",
        "BUNDLES_WAREHOUSE__PORT": str(postgres.port),
        "BUNDLES_WAREHOUSE__DATABASE": database,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def owner_of(server: Server, database: str) -> psycopg2.extensions.connection:
    """Return a connection of the owner role, for planting rows and looking behind the doors; commits each statement."""
    password = server.passwords["BUNDLES_WAREHOUSE__OWNER_PASSWORD"]
    where = {"host": "127.0.0.1", "port": server.port, "dbname": database}
    connection = psycopg2.connect(user="bundles_owner", password=password, **where)  # type: ignore[call-overload]
    connection.autocommit = True
    return connection


@pytest.fixture(scope="module")
def owner(postgres: Server, database: str) -> Iterator[psycopg2.extensions.connection]:
    """A connection of the owner role to the module's database."""
    with closing(owner_of(postgres, database)) as connection:
        yield connection


class ByModule(LoadScopeScheduling):
    """Keeps a module in one process, which builds its fixtures once; so too all that shares the stack, or a shop."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", 1)[0]
        if "pytest.mark.stack" in (ROOT / module).read_text("utf-8"):
            return "stack"
        return "faults" if module.startswith("tests/faults/") else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    """Deal tests out to the processes of ``pytest -n``."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what needs the stack: it takes longest. What breaks the stack comes after what looks at it."""
    items.sort(
        key=lambda item: 2 if not item.get_closest_marker("stack") else 1 if item.get_closest_marker("faults") else 0
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip into a failure where nothing may be skipped (``BUNDLES_NO_SKIPS=1``)."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("BUNDLES_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where nothing may be: {report.longrepr}"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


def _as_superuser(server: Server, *statements: str) -> None:
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=server.port,
        user="postgres",
        dbname="postgres",
        password=server.passwords["POSTGRES_PASSWORD"],
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()
