"""Postgres dies whole, at any moment: what people read is the old content or the new, and the next try goes through."""

import random
import signal
import time

import psutil
import pytest

from tests.faults.children import Fault, Try, attempt
from tests.faults.conftest import LONG, SEED, Report
from tests.faults.world import World, kill_postgres, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
MOMENTS = 50 if LONG else 3
NO_RETRY = (65, 99)
"""Exit codes after which Airflow would not try again."""


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_publishing_survives_a_dead_postgres_at_a_random_moment(world: World, moment: int, report: Report) -> None:
    context = world.begin_of("publish_bundles")
    old, clean = world.content().published, world.led_to["publish_bundles"].published
    world.execute("checkpoint")
    delay = random.Random(f"{SEED}:{moment}").uniform(0.0, 0.35)
    first = Try(world.settings, "publish_bundles", context, world.home)
    time.sleep(delay)
    kill_postgres(world.server)
    died = first.outcome()
    world.server.start()
    found = {old: "old", clean: "new"}.get(world.content().published, "NEITHER")
    broken = world.broken()
    second = attempt(world.settings, "publish_bundles", context, world.home)
    end = world.content().published
    broken += world.broken()
    report(f"Postgres killed {delay:.3f} s into publishing", f"try {died.code}, {found}; retry {second.code}", broken)
    assert died.code not in NO_RETRY, died.words
    assert found != "NEITHER"
    assert (second.code, end, broken) == (0, clean, [])


def test_a_load_whose_copy_was_cut_left_none_of_its_rows(world: World, report: Report) -> None:
    context = world.begin_of("load_raw")
    old, clean = world.content(), world.led_to["load_raw"]
    world.execute("checkpoint")
    stops = Fault("rows stream in", "load_raw", "copy", signal=signal.SIGSTOP)
    first = Try(world.settings, "load_raw", context, world.home, stops)
    wait_until_stopped(first.pid)
    kill_postgres(world.server)
    psutil.Process(first.pid).resume()
    died = first.outcome()
    started = time.monotonic()
    world.server.start()
    seconds = time.monotonic() - started
    left = world.content()
    second = attempt(world.settings, "load_raw", context, world.home)
    broken = world.broken()
    outcome = f"try {died.code}, none of its rows, up again in {seconds:.1f} s; retry {second.code}"
    report("Postgres killed while COPY streams", outcome, broken)
    assert died.code not in (0, *NO_RETRY), died.words
    assert (left.raw, left.published) == (old.raw, old.published)
    assert (second.code, world.content(), broken) == (0, clean, [])


def test_a_killed_client_leaves_no_statement_at_work(world: World, report: Report) -> None:
    """Without ``client_connection_check_interval`` it would end, and commit, seconds after its client has died."""
    world.begin("published")
    with world.owner() as owner, owner.cursor() as cursor:
        cursor.execute("create function ml.sleepy() returns trigger language plpgsql as"
                       " 'begin perform pg_sleep(0.05); return new; end'")  # fmt: skip
        cursor.execute("create trigger sleepy before insert on ml.candidates for each row execute function ml.sleepy()")
    from tests.faults.world import NOW

    first = Try(world.settings, "propose_candidates", NOW, world.home)
    # What the stage reads is copied too, before its run has a number.
    writes = "query ~ '^COPY .*candidates.* FROM STDIN'"
    world.wait_for(
        f"select count(*) from pg_stat_activity where usename = 'bundles_ml' and state = 'active' and {writes}", 1
    )
    psutil.Process(first.pid).kill()
    started = time.monotonic()
    world.wait_for("select count(*) from pg_stat_activity where usename = 'bundles_ml'", 0)
    seconds = time.monotonic() - started
    first.outcome()
    with world.owner() as owner, owner.cursor() as cursor:
        cursor.execute("select count(*) from ml.candidates where run_id = (select max(run_id) from ops.runs)")
        ((rows,),) = cursor.fetchall()
    broken = world.broken()
    report("client killed in a long COPY", f"statement gone after {seconds:.1f} s, {rows} rows", broken)
    assert seconds <= 2
    assert (rows, broken) == (0, [])
