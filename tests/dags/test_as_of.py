from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from jinja2 import Environment

from shared.as_of import as_of, as_of_macro


def context(key: str | None = None, asked: str | None = None) -> dict[str, Any]:
    """Return the part of a task's context that the as-of date is found in."""
    dag_run = SimpleNamespace(run_after=datetime(2018, 1, 2, 0, 0, tzinfo=UTC))
    return {"partition_key": key, "params": {"as_of": asked}, "dag_run": dag_run}


def test_the_partition_key_is_the_as_of_date() -> None:
    assert as_of(context(key="2017-12-03")) == "2017-12-03"


def test_a_run_by_hand_takes_the_forms_date() -> None:
    assert as_of(context(asked="2017-12-03")) == "2017-12-03"


def test_without_key_and_form_it_is_the_day_before_as_for_the_clock() -> None:
    assert as_of(context()) == "2018-01-01"


def test_key_and_form_may_agree_but_never_differ() -> None:
    assert as_of(context(key="2017-12-03", asked="2017-12-03")) == "2017-12-03"
    with pytest.raises(AirflowFailException, match="differ"):
        as_of(context(key="2017-12-03", asked="2017-12-04"))


@pytest.mark.parametrize("key", ["2017-12-3", "yesterday", "2017-13-01", "2017-12-03T00:00:00", "20171203"])
def test_a_key_that_is_no_date_fails_without_a_retry(key: str) -> None:
    with pytest.raises(AirflowFailException, match="no date"):
        as_of(context(key=key))


def test_templates_know_it_as_a_macro() -> None:
    template = Environment(autoescape=False).from_string("--as-of={{ as_of() }}")
    assert template.render(context(key="2017-12-03"), as_of=as_of_macro) == "--as-of=2017-12-03"
