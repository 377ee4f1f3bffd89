"""Who asks."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import psycopg2.extras
import pytest

from ml.settings import Settings


@pytest.fixture
def analyst(settings: Settings) -> Iterator[psycopg2.extensions.connection]:
    """A connection of the analyst role to the module's database, whose rows are read by name."""
    where = settings.warehouse
    facts = {"host": where.host, "port": where.port, "dbname": where.database, "password": where.password("analyst")}
    opened = psycopg2.connect(user="bundles_analyst", cursor_factory=psycopg2.extras.RealDictCursor, **facts)
    with closing(opened) as connection:
        connection.autocommit = True
        yield connection
