"""The runner of mutations: it changes one thing of the SQL alone, draws fairly, and hears what the unit tests say."""

from collections import Counter
from pathlib import Path

import pytest

from ml.settings import Settings
from tests.mutations.bench import bench_on
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.flips import all_flips, drawn, flips_of

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models"


@pytest.mark.parametrize(
    ("sql", "kind", "flipped"),
    [
        ("where a < b", "comparison", "where a <= b"),
        ("where a >= b", "comparison", "where a > b"),
        ("from a left join b on true", "join", "from a inner join b on true"),
        ("select sum(a)", "aggregate", "select avg(a)"),
        ("select count(distinct a)", "aggregate", "select count(a)"),
        ("select min(a)", "extreme", "select max(a)"),
        ("on a = b and c = d", "logic", "on a = b or c = d"),
        ("where a is not null", "logic", "where a is null"),
        ("where not exists (select)", "logic", "where exists (select)"),
        ("order by a asc", "order", "order by a desc"),
        ("array_agg(a order by b.c)", "order", "array_agg(a order by b.c desc)"),
        ("select a - b", "arithmetic", "select a + b"),
        ("select 1 union all select 2", "rows", "select 1 union select 2"),
    ],
)
def test_a_slip_of_the_hand_is_one_change_of_its_kind(sql: str, kind: str, flipped: str) -> None:
    (flip,) = flips_of("model", sql)
    assert (flip.kind, flip.applied(sql)) == (kind, flipped)


@pytest.mark.parametrize(
    "sql",
    [
        "-- a left join b, sum(c) > 1",
        "{# where a < b #}",
        "{{ config(a=1 < 2) }} {% if a and b %} {% endif %}",
        "{{ config(pre_hook='{{ b() }}') }} select 1 -- one's own and another's",
        "select 'left join' || ' and '",
        "where a <> b",
        "where a @> b",
        "select minimum, band",
    ],
)
def test_what_is_no_sql_of_the_model_is_left_alone(sql: str) -> None:
    assert not list(flips_of("model", sql))


def test_every_model_has_its_turn_and_a_seed_draws_the_same_again() -> None:
    flips = all_flips(MODELS)
    some = drawn(flips, len(flips), seed=7)
    assert {flip.model for flip in some} == set(flips)
    assert some == drawn(flips, len(flips), seed=7) != drawn(flips, len(flips), seed=8)
    twice = Counter(flip.model for flip in drawn(flips, 2 * len(flips), seed=7))
    assert all(twice[model] >= min(2, len(found)) for model, found in flips.items())
    assert len(drawn(flips, 100_000, seed=7)) == sum(map(len, flips.values()))


def test_what_says_the_same_is_still_there_to_be_flipped() -> None:
    there = {(f.model, f.step, f.around, f.new.strip()) for found in all_flips(MODELS).values() for f in found}
    assert not {tuple(entry) for *entry, _ in EQUIVALENT} - there


@pytest.mark.slow
def test_a_known_slip_is_caught_by_its_test_and_the_model_is_whole_again(settings: Settings, tmp_path: Path) -> None:
    with bench_on(settings, tmp_path) as bench:
        flips = {(flip.kind, flip.line): flip for flip in all_flips(bench.models)["stg_raw__stock_levels"]}
        found = {kind: bench.try_flip(flip) for (kind, _), flip in flips.items()}
        assert bench.ask("stg_raw__stock_levels").is_silent
    assert set(found) == {"extreme", "arithmetic"}
    assert {verdict.fell for verdict in found.values()} == {("test_what_is_reserved_cannot_be_sold_again",)}
