"""The as-of date of a run, found the same way in every task, retry and clear.

It travels as the partition key: from the clock or a backfill to ``load_shop``, then with each asset down the
chain. These runs have no logical date, so ``ds`` and its relatives do not exist.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jinja2
from airflow.sdk.exceptions import AirflowFailException

KEY_FORMAT = "%Y-%m-%d"


def as_of(context: Mapping[str, Any]) -> str:
    """Return the run's data cut-off, ``YYYY-MM-DD``.

    The partition key if the run has one, else the form's value, else the day before the run was asked for:
    the clock means yesterday too.

    Raises
    ------
    AirflowFailException
        When key and form differ, or the value is no date.
    """
    key = context.get("partition_key")
    asked = context["params"].get("as_of")
    if key and asked and key != asked:
        raise AirflowFailException(f"partition key {key!r} and form value as_of {asked!r} differ: leave the form empty")
    value: str = key or asked or (context["dag_run"].run_after - timedelta(days=1)).strftime(KEY_FORMAT)
    try:
        is_canonical = datetime.strptime(value, KEY_FORMAT).strftime(KEY_FORMAT) == value
    except ValueError:
        is_canonical = False
    if not is_canonical:
        raise AirflowFailException(f"as_of {value!r} is no date of the form YYYY-MM-DD")
    return value


@jinja2.pass_context
def as_of_macro(context: jinja2.runtime.Context) -> str:
    """Return the run's data cut-off, for ``{{ as_of() }}`` in templated fields."""
    return as_of(context)
