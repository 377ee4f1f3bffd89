"""What the runbook asks of Airflow's own tables can be asked of the installed version."""

import re
from pathlib import Path

import sqlalchemy
from airflow import models
from airflow.models.base import Base

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text("utf-8")


def test_every_query_on_airflows_tables_can_be_asked() -> None:
    queries = re.findall(r'operator -- -d airflow -c "(.+)"', RUNBOOK)
    models.import_all_models()
    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        assert [connection.execute(sqlalchemy.text(query)).all() for query in queries] == [[]]
