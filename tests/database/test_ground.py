"""Which run of personal bundles scenarios stand on: what people read, and never what was taken back."""

from datetime import date

import psycopg2
import pytest

from ml.errors import DataError
from ml.params import Context, RunParams
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground, used_days
from ml.settings import Settings
from ml.tables import CANDIDATES
from ml.warehouse import Warehouse

Connection = psycopg2.extensions.connection
DAY = date(2024, 3, 1)


def personal_run(settings: Settings, started_by: str) -> int:
    """Write a run with one candidate and return its number."""
    lease = open_run(settings, Context(DAY, started_by, RunParams()))
    row = {"customer_id": "ann", "product_id": "tea", "preference": 0.1, "sources": ["bought"], "candidate_rank": 1}
    frame = CANDIDATES.frame([{**row, "basket_spread": 1.0}])
    Warehouse(settings, "ml").replace_run(CANDIDATES, frame, lease)
    return lease.run_id


def ground(settings: Settings) -> Ground:
    return Ground(settings, Context(DAY, "test", RunParams(scenario="launch")))


def test_a_scenario_stands_on_what_people_read_and_on_nothing_that_was_taken_back(
    settings: Settings, owner: Connection
) -> None:
    with pytest.raises(DataError, match="run recommend_bundles"):
        _ = ground(settings).personal_run
    first, second, third = (personal_run(settings, name) for name in ("first", "second", "third"))
    with owner.cursor() as cursor:
        cursor.execute("update ops.runs set status = 'published' where run_id <> %s", (third,))
        assert ground(settings).personal_run == second, "the third was never audited"
        cursor.execute("insert into ops.published (scope, run_id, as_of) values ('personal', %s, %s)", (first, DAY))
        assert ground(settings).personal_run == first, "people read the first"
        cursor.execute("delete from ops.published")
        cursor.execute(
            "insert into ops.publish_log (scope, run_id, previous_run_id, epoch, as_of, action, actor)"
            " values ('personal', %s, %s, 1, %s, 'rollback', 'mia')",
            (first, second, DAY),
        )
        assert ground(settings).personal_run == first, "the second was taken back"


@pytest.mark.parametrize(
    ("scenario", "days"),
    [
        ("launch", (date(2024, 3, 2), date(2024, 3, 2))),
        ("bundle_sale", (date(2024, 3, 2), date(2024, 3, 15))),
        ("cross_category", (date(2024, 3, 11), date(2024, 3, 13))),
    ],
)
def test_rules_must_hold_on_the_days_a_result_is_used(scenario: str, days: tuple[date, date]) -> None:
    params = RunParams(scenario=scenario, sale_days=14, promotion_starts_in_days=10, promotion_days=3)
    assert used_days(Context(DAY, "test", params)) == days
