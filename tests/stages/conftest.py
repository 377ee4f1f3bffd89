"""One tiny shop with trained models for all tests of the stages: training takes longer than all that is asked of it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2.extensions
import pytest

import ml.stages.load_raw
import ml.stages.train_association
import ml.stages.train_preference
from local.postgres import Server
from ml.params import Context, Counts, RunParams
from ml.settings import Settings, SourceSettings
from ml.sources.contract import TABLES
from tests.conftest import fresh_database, owner_of, settings_of
from tests.stages.features import AS_OF, plant, tiny
from tests.stages.landing import Load
from tests.stages.runs import CONTEXT


@pytest.fixture(scope="package")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A tiny shop with features; MLflow keeps its artifacts below the working directory."""
    home = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch, fresh_database(postgres, "test_stages") as database:
        patch.chdir(home)
        whole = tiny(settings_of(postgres, database), f"sqlite:///{home / 'mlflow.db'}")
        plant(whole)
        yield whole


@pytest.fixture
def shop_owner(postgres: Server, shop: Settings) -> Iterator[psycopg2.extensions.connection]:
    """A connection of the owner role to the shop."""
    with closing(owner_of(postgres, shop.warehouse.database)) as connection:
        yield connection


@pytest.fixture(scope="package")
def trained(shop: Settings) -> dict[str, Counts]:
    return {
        "association": ml.stages.train_association.run(shop, CONTEXT),
        "preference": ml.stages.train_preference.run(shop, CONTEXT),
    }


@pytest.fixture
def empty(owner: psycopg2.extensions.connection) -> None:
    """Nothing has landed in the module's database yet."""
    with owner.cursor() as cursor:
        cursor.execute(f"truncate {', '.join(f'raw.{t}' for t in TABLES)}, ops.quarantine, ops.load_manifest cascade")


@pytest.fixture
def load(settings: Settings) -> Load:
    """Load a folder, with a quarantine limit of one half unless the test says otherwise."""

    def load(folder: Path, limit_share: float = 0.5) -> Counts:
        source = SourceSettings(folder=folder, quarantine_limit_share=limit_share)
        context = Context(AS_OF, "test", RunParams(source="folder"))
        return ml.stages.load_raw.run(settings.model_copy(update={"source": source}), context)

    return load
