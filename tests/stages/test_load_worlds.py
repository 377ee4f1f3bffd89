"""Whatever order lines come, in whatever order and files: each is counted once, and the same ones land."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import psycopg2
import pytest
from hypothesis import HealthCheck
from hypothesis import given as for_all
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.stages.landing import ITEMS, PRODUCTS, Load, Row, fetch, landed, write, write_shop

pytestmark = pytest.mark.usefixtures("empty")
KEYS = st.sampled_from(["o1", "o2", "o3", "o9", ""])
LINES = st.tuples(
    KEYS,
    st.integers(1, 6),
    st.sampled_from([*PRODUCTS, "p9", "null"]),
    st.integers(-2, 2),
    st.sampled_from([100, 0, -5]),
    st.just(0),
)
WORLDS = st.lists(LINES, min_size=1, max_size=25)
SLOWLY = hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def without_conflicts(lines: list[Row]) -> list[Row]:
    """Keep one content a key (with repeats): of conflicting ones the first wins, so there the order does matter."""
    first: dict[tuple[object, object], Row] = {}
    return [line for line in lines if first.setdefault(line[:2], line) == line]  # type: ignore[arg-type]


@pytest.fixture
def outcome(load: Load, owner: psycopg2.extensions.connection, tmp_path: Path) -> Callable[..., list[list[Row]]]:
    """Land order lines, in one file or several, on orders and products that are there; tell what became of them."""
    write_shop(tmp_path)
    (tmp_path / "order_items.csv").unlink()
    load(tmp_path)
    for path in tmp_path.glob("*.csv"):
        path.unlink()

    def outcome(*parts: list[Row]) -> list[list[Row]]:
        with owner.cursor() as cursor:
            cursor.execute("delete from raw.order_items; delete from ops.quarantine")
            cursor.execute("delete from ops.load_manifest where table_name = 'order_items'")
        for old in (tmp_path / "order_items").glob("*"):
            old.unlink()
        for number, part in enumerate(parts):
            write(tmp_path, f"order_items/{number}.csv", ITEMS, part)
        load(tmp_path, limit_share=1.0)  # type: ignore[call-arg]
        return [landed(owner), fetch(owner, "select reason, count(*) from ops.quarantine group by 1 order by 1")]

    return outcome


@for_all(lines=WORLDS)
@SLOWLY
def test_records_in_are_records_accepted_duplicate_and_quarantined(
    outcome: Callable[..., list[list[Row]]], owner: psycopg2.extensions.connection, lines: list[Row]
) -> None:
    accepted, quarantined = outcome(lines)
    ((rows_in, rows_accepted, rows_duplicate, rows_quarantined),) = fetch(
        owner,
        "select rows_in, rows_accepted, rows_duplicate, rows_quarantined from ops.load_manifest"
        " where table_name = 'order_items'",
    )
    assert rows_in == len(lines) == rows_accepted + rows_duplicate + rows_quarantined  # type: ignore[operator]
    assert len(accepted) == rows_accepted
    assert sum(count for _, count in quarantined) == rows_quarantined  # type: ignore[misc]


@for_all(lines=WORLDS, random=st.randoms(use_true_random=False))
@SLOWLY
def test_the_order_of_the_records_does_not_matter(
    outcome: Callable[..., list[list[Row]]], lines: list[Row], random: Random
) -> None:
    lines = without_conflicts(lines)
    assert outcome(lines) == outcome(random.sample(lines, len(lines)))


@for_all(lines=WORLDS, cut=st.integers(0, 25))
@SLOWLY
def test_a_split_file_lands_as_the_whole_one(
    outcome: Callable[..., list[list[Row]]], lines: list[Row], cut: int
) -> None:
    assert outcome(lines) == outcome(*(part for part in (lines[:cut], lines[cut:]) if part))
