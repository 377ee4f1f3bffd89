"""The machine's clock is set back: what was written before bears a later time than what comes now."""

from contextlib import closing

import pytest

from ml.publishing.publish import rollback
from tests.faults.children import attempt
from tests.faults.conftest import Report
from tests.faults.world import LIVE, World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
INSTANTS = """
    select format('update %I.%I set %I = %I + interval ''1 hour''', n.nspname, c.relname, a.attname, a.attname)
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = 'ops' and c.relkind = 'r' and a.attnum > 0 and a.atttypid = 'timestamptz'::regtype
"""


def test_a_clock_that_is_set_back_an_hour_changes_no_order(world: World, report: Report) -> None:
    context = world.begin_of("publish_bundles")
    old, clean = world.content().published, world.led_to["publish_bundles"].published
    with closing(world.superuser(LIVE)) as connection, connection.cursor() as cursor:
        cursor.execute(INSTANTS)
        moved = [statement for (statement,) in cursor.fetchall()]
        for statement in moved:
            cursor.execute(statement)
    done = attempt(world.settings, "publish_bundles", context, world.home)
    broken, shown = world.broken(), world.content().published
    rollback(world.settings, "personal", "test")
    back, broken = world.content().published, broken + world.broken()
    report("clock set back an hour", f"exit {done.code}, published, and taken back to what was before", broken)
    assert len(moved) > 5
    assert (done.code, shown, back) == (0, clean, old)
    assert broken == []
