"""Features of days that nobody will read again go; every other day stays."""

from datetime import date, timedelta

import psycopg2.extensions
import pytest

from ml.settings import Settings
from ml.transform import build
from ml.warehouse import Warehouse
from tests.dbt.conftest import AS_OF, Plant, fingerprint, tiny_world

pytestmark = pytest.mark.slow


def day(back: int) -> date:
    return AS_OF - timedelta(days=back)


def test_a_build_removes_the_published_days_that_are_not_among_the_last(
    shop: Settings, plant: Plant, owner: psycopg2.extensions.connection
) -> None:
    for table, records in tiny_world(seed=3).items():
        plant(table, records)
    build(shop, AS_OF)
    with Warehouse(shop, "transformer").transaction() as connection, connection.cursor() as cursor:
        for back in range(1, 13):
            cursor.execute(
                "insert into features.ftr_products"
                " (as_of, product_id, is_bundleable, baskets, customers, rating_count, is_promoted)"
                " values (%s, 'p03', true, 0, 0, 0, false)",
                (day(back),),
            )
            # Day 8 is being rebuilt at this moment, so it is not complete.
            if back != 8:
                cursor.execute(
                    "insert into features.ftr_builds values (%s, 'x', now() - %s, %s, 1)",
                    (day(back), timedelta(days={2: 15, 3: 15, 10: 15, 11: 13, 12: 15}.get(back, 0)), day(back)),
                )
    with owner.cursor() as cursor:
        # In the order of publishing; days 7, 10, 11 and 12 were never published, day 9 was rebuilt after it was.
        for back in (9, 8, 6, 5, 1, 3, 2):
            cursor.execute(
                "insert into ops.publish_log (scope, run_id, epoch, as_of, action, actor, published_at)"
                " values ('personal', 1, 1, %s, 'publish', 'x', now() + %s)",
                (day(back), timedelta(hours=-1 if back == 9 else 1)),
            )
    build(shop, AS_OF)
    with owner.cursor() as cursor:
        cursor.execute("select distinct as_of from features.ftr_products order by as_of desc")
        kept = [(AS_OF - as_of).days for (as_of,) in cursor.fetchall()]
        cursor.execute("select as_of from features.ftr_builds order by as_of desc")
        complete = [(AS_OF - as_of).days for (as_of,) in cursor.fetchall()]
    # 0, 1, 2: newest; 1, 3, 2: published last; 4, 7, 11: not published yet; 8: in the making; 9: rebuilt since.
    # 5 and 6 were published, 10 and 12 built two weeks ago, and no run of theirs was published.
    assert kept == [0, 1, 2, 3, 4, 7, 8, 9, 11]
    assert complete == [0, 1, 2, 3, 4, 7, 9, 11]
    assert fingerprint(owner, AS_OF)["products"][0] == 18
