"""Credit for bundles: each line once, to the cent, returns taken off, over many random worlds."""

import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import psycopg2.extensions
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from ml.settings import Settings
from ml.warehouse import Warehouse
from tests.dbt.attribution_reference import Credit, World, credited, random_world
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
WORLDS = 150
MEASURED = (
    "int_feedback_resolved", "int_order_lines_credited", "int_bundle_buyers_compared", "int_bundle_weeks_counted",
)  # fmt: skip
MARTS = ("fct_bundle_attribution", "fct_bundle_feedback", "fct_bundle_performance")
Run = Callable[..., None]


@pytest.fixture(scope="module")
def run(shop: Settings, warehouse_env: dict[str, str]) -> Run:
    """Run the models that lead to the marts of what bundles earned, and no others."""

    def line(*words: str) -> None:
        folders = ["--target-path", str(shop.dbt.target_dir), "--log-path", str(shop.dbt.target_dir)]
        command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *words, *folders]
        environment = {**warehouse_env, "BUNDLES_AS_OF": str(AS_OF)}
        project = Path(shop.dbt.project_dir).resolve()
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]

    return line


@pytest.fixture(scope="module")
def measured(plant: Plant, run: Run) -> None:
    """Leave the marts of what bundles earned, and the features, with some worlds in them."""
    plant_worlds(plant, {name: random_world(random.Random(name), name) for name in (f"m{n}" for n in range(WORLDS))})
    run("run", *select(*MARTS, "ftr_bundle_reactions"))


def plant_worlds(plant: Plant, worlds: dict[str, World]) -> None:
    for table in ("products", "given_bundles", "orders", "order_items", "bundle_feedback"):
        plant(table, [row for world in worlds.values() for row in getattr(world, table)])


def select(*models: str) -> list[str]:
    return ["--select", *(f"+{model}" for model in models)]


def test_a_shop_without_feedback_is_told_so(shop: Settings, run: Run) -> None:
    run("run", *select(*MARTS))
    for mart in MARTS:
        shown = Warehouse(shop, "analyst").read_view(f"marts.{mart}")
        assert shown["unavailable_reason"].to_list() == ["not available: needs bundle_feedback"], mart


@trials(
    max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(seed=st.integers(0, 2**32))
def test_each_line_is_credited_once_and_orders_sum_to_the_cent(
    shop: Settings, plant: Plant, owner: psycopg2.extensions.connection, run: Run, seed: int
) -> None:
    worlds = {name: random_world(random.Random(name), name) for name in (f"w{seed}n{n}" for n in range(WORLDS))}
    with owner.cursor() as cursor:
        cursor.execute("truncate raw.orders, raw.order_items, raw.products, raw.bundle_feedback, raw.given_bundles")
    plant_worlds(plant, worlds)
    run("run", *select("fct_bundle_attribution"))
    shown = attributed(shop)
    for name, world in worlds.items():
        wanted = {key: asdict(credit) for key, credit in credited(world).items()}
        assert {key: found for key, found in shown[name].items()} == wanted, world
        check_sums(world, {key: Credit(**found) for key, found in shown[name].items()})
    assert sum(bool(credit["credited_units"]) for found in shown.values() for credit in found.values()) > WORLDS / 2


def attributed(shop: Settings) -> dict[str, dict[tuple[str, int], dict[str, object]]]:
    """Return by world and line what the mart shows; a line twice fails here."""
    facts = ("bundle_id", "credited_units", "returned_units")
    money = ("credited_revenue", "net_credited_revenue", "net_uncredited_revenue")
    shown: dict[str, dict[tuple[str, int], dict[str, object]]] = defaultdict(dict)
    frame = Warehouse(shop, "analyst").read_view("marts.fct_bundle_attribution")
    for row in frame.iter_rows(named=True):
        line = (row["order_id"], row["line_number"])
        found = shown[line[0].rsplit("-", 1)[0]]
        assert line not in found, f"{line} stands twice"
        cents = {name.replace("revenue", "cents"): round(float(row[name]) * 100) for name in money}
        found[line] = {**{name: row[name] for name in facts}, **cents}
        split = sum(round(float(row[name]) * 100) for name in ("credited_revenue", "uncredited_revenue"))
        assert split == round(float(row["revenue"]) * 100)
        net = cents["net_credited_cents"] + cents["net_uncredited_cents"]
        assert net == round(float(row["revenue"]) * 100) - round(float(row["returned_revenue"]) * 100)
    return shown


def check_sums(world: World, found: dict[tuple[str, int], Credit]) -> None:
    """Hold what is promised of any world, whatever the rule says in detail."""
    for order_id in {order_id for order_id, _ in found}:
        bought = {
            (order_id, i["line_number"]): i
            for i in world.order_items
            if i["order_id"] == order_id and i["quantity"] > 0
        }
        own = {key: credit for key, credit in found.items() if key[0] == order_id}
        assert own.keys() == bought.keys(), "an order stands with all its lines or not at all"
        for key, credit in own.items():
            item = bought[key]
            paid = max(0, item["quantity"] * item["unit_price_cents"] - item["discount_cents"])
            assert 0 <= credit.net_credited_cents <= credit.credited_cents <= paid
            assert 0 <= credit.net_uncredited_cents <= paid - credit.credited_cents
            assert 0 <= credit.returned_units <= item["quantity"]
        products = [bought[key]["product_id"] for key, credit in own.items() if credit.credited_units]
        assert len(products) == len(set(products)), "a product is credited to one bundle"


@pytest.mark.usefixtures("measured")
def test_all_worlds_together_are_shown_at_once(shop: Settings) -> None:
    for mart in MARTS:
        started = time.monotonic()
        assert Warehouse(shop, "analyst").read_view(f"marts.{mart}").height > 0
        assert time.monotonic() - started < 1, mart


@pytest.mark.usefixtures("measured")
def test_the_intervals_are_those_of_wilson(shop: Settings) -> None:
    shown = Warehouse(shop, "analyst").read_view("marts.fct_bundle_performance")
    pairs = {"return_rate": "credited_lines", "other_return_rate": "other_lines", "click_rate": "known_impressions"}
    compared = 0
    for row in shown.iter_rows(named=True):
        for rate, trials_column in pairs.items():
            if row[rate] is None:
                assert row[f"{rate}_low"] is None and row[f"{rate}_high"] is None
                continue
            wanted = proportion_confint(round(row[rate] * row[trials_column]), row[trials_column], method="wilson")
            assert (row[f"{rate}_low"], row[f"{rate}_high"]) == pytest.approx(wanted, abs=1e-12)
            compared += 1
    assert compared >= 3


@pytest.mark.usefixtures("measured")
def test_what_happens_after_the_day_changes_nothing_of_it(
    shop: Settings, plant: Plant, owner: psycopg2.extensions.connection, run: Run
) -> None:
    before = fingerprints(owner)
    with owner.cursor() as cursor:
        cursor.execute(
            "select feedback_id, bundle_id, customer_id, kind, order_id from raw.bundle_feedback"
            " where customer_id is not null order by feedback_id limit 200"
        )
        names = [column.name for column in cursor.description or ()]
        copied = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    tomorrow = AS_OF + timedelta(days=1)
    later = [
        row | {"feedback_id": f"later-{row['feedback_id']}", "occurred_at": f"{tomorrow} 00:00Z"} for row in copied
    ]
    plant("bundle_feedback", later)
    run("run", *select("fct_bundle_performance", "ftr_bundle_reactions"))
    assert fingerprints(owner) == before
    assert all(rows for rows, _ in before.values())


def fingerprints(owner: psycopg2.extensions.connection) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each table of the day, and a hash of what they hold."""
    found = {}
    with owner.cursor() as cursor:
        for table in (*(f"intermediate.{name}" for name in MEASURED), "features.ftr_bundle_reactions"):
            cursor.execute(
                f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from {table} as t where as_of = %s",
                (AS_OF,),
            )
            ((rows, digest),) = cursor.fetchall()
            found[table] = (rows, digest)
    return found


@pytest.mark.usefixtures("measured")
def test_the_models_are_worked_out_by_hand_and_their_keys_and_ranges_hold(run: Run) -> None:
    built = [*MARTS, "+fct_bundle_performance,config.materialized:incremental", "ftr_bundle_reactions"]
    # That test reads features that this module does not build, too.
    run("test", "--select", *built, "--exclude", "features_know_nothing_later")
