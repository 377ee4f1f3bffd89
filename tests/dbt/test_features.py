"""The features of a tiny random shop: right, of their day alone, and undisturbed by other days."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2.extensions
import pytest

from ml.association.baskets import index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.settings import Settings
from ml.tables import BASKETS, PRODUCTS
from ml.transform import Build, build
from ml.warehouse import Warehouse
from tests.dbt.conftest import AS_OF, Plant, fingerprint, tiny_world
from tests.dbt.reference import Reference

pytestmark = pytest.mark.slow
WORLD = tiny_world(seed=7)
Connection = psycopg2.extensions.connection


@pytest.fixture(scope="module")
def built(shop: Settings, plant: Plant) -> Build:
    for table, records in WORLD.items():
        plant(table, records)
    return build(shop, AS_OF)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(WORLD, AS_OF, min_product_baskets=3, min_pair_baskets=2)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in cursor.fetchall()]


def by_key(found: list[tuple[Any, ...]], columns: int) -> dict[Any, tuple[Any, ...]]:
    return {row[:columns] if columns > 1 else row[0]: row[columns:] for row in found}


def assert_close(found: dict[Any, tuple[Any, ...]], wanted: dict[Any, tuple[Any, ...]]) -> None:
    assert set(found) == set(wanted)
    for key, values in wanted.items():
        for got, want in zip(found[key], values, strict=True):
            assert got == (pytest.approx(want, rel=1e-12) if isinstance(want, float) else want), (key, found[key])


def test_a_build_says_what_it_did(built: Build, owner: Connection, repository: Path) -> None:
    assert built.models == len(list((repository / "dbt_project" / "models").rglob("*.sql")))
    assert built.tests > 90
    assert built.rows["ftr_baskets"] == fingerprint(owner, AS_OF)["baskets"][0] > 100
    ((invocation_id, through),) = rows(owner, "select dbt_invocation_id, data_through from features.ftr_builds")
    assert invocation_id == built.invocation_id
    assert through == AS_OF


def test_baskets_equal_a_walk_through_the_days(built: Build, owner: Connection, reference: Reference) -> None:
    found = rows(
        owner,
        "select basket_id, customer_id, basket_on, basket_number, product_ids, quantities, paid_cents, basket_products"
        " from features.ftr_baskets",
    )
    assert set(found) == reference.ftr_baskets()
    assert len(found) == len(set(found))


def test_customer_products_equal_the_reference(built: Build, owner: Connection, reference: Reference) -> None:
    found = rows(
        owner,
        "select customer_id, product_id, baskets, units, first_on, last_on, days_since_last, basket_share,"
        " mean_gap_days from features.ftr_customer_products",
    )
    assert_close(by_key(found, 2), by_key(list(reference.ftr_customer_products()), 2))


def test_pairs_equal_the_reference(built: Build, owner: Connection, reference: Reference) -> None:
    found = rows(
        owner,
        "select product_a, product_b, pair_baskets, baskets_a, baskets_b, baskets_total, support, lift, lift_low,"
        " lift_high, pair_customers from features.ftr_product_pairs",
    )
    assert len(found) > 50
    assert_close(by_key(found, 2), reference.ftr_product_pairs())


def test_products_equal_the_reference(built: Build, owner: Connection, reference: Reference) -> None:
    found = rows(
        owner,
        "select product_id, price_cents, is_bundleable, baskets, customers, rating_mean, is_promoted, trend_ratio"
        " from features.ftr_products",
    )
    assert_close(by_key(found, 1), reference.ftr_products())


def test_vectors_of_any_kind_reach_the_features_as_they_were_delivered(built: Build, shop: Settings) -> None:
    found = Warehouse(shop, "ml").read(PRODUCTS, {"as_of": AS_OF})
    names = ["image_vector", "text_vector", "audio_vector"]
    told = {row["product_id"]: [row[name] for name in names] for row in found.iter_rows(named=True)}
    assert told == {row["product_id"]: [row[name] for name in names] for row in WORLD["products"]}
    assert found["image_vector"].null_count() == 9


def test_the_counter_finds_the_pairs_of_the_features_and_their_lift(
    built: Build, shop: Settings, owner: Connection
) -> None:
    counted = _counted(shop, least=2)
    frequent = counted.product_baskets >= 3
    kept = frequent[counted.first] & frequent[counted.second]
    names = np.array(counted.product_ids)
    pairs = zip(names[counted.first[kept]].tolist(), names[counted.second[kept]].tolist(), strict=True)
    by_chance = counted.product_baskets[counted.first] * counted.product_baskets[counted.second] / counted.baskets_total
    lift = counted.all_pair_baskets / by_chance
    ours = dict(zip(pairs, zip(counted.all_pair_baskets[kept].tolist(), lift[kept].tolist(), strict=True), strict=True))
    found = rows(owner, "select product_a, product_b, pair_baskets, lift from features.ftr_product_pairs")
    assert len(found) > 50
    assert_close(by_key(found, 2), ours)


def test_what_habits_explain_equals_the_sum_that_sql_makes_of_it(
    built: Build, shop: Settings, owner: Connection
) -> None:
    counted = _counted(shop, least=1)
    names = np.array(counted.product_ids)
    pairs = zip(names[counted.first].tolist(), names[counted.second].tolist(), strict=True)
    shrunk = (counted.pair_baskets + 5.0) / (counted.expected_baskets + 5.0)
    ours = dict(zip(pairs, zip(counted.pair_baskets.tolist(), counted.expected_baskets.tolist(), shrunk.tolist(),
                               strict=True), strict=True))  # fmt: skip
    told = by_key(rows(owner, HABITS), 2)
    assert len(told) > 50
    assert_close(
        {pair: told[pair] for pair in ours if pair in told}, {pair: ours[pair] for pair in ours if pair in told}
    )
    assert all(ours[pair][:2] == (0, 0.0) for pair in ours.keys() - told.keys()), "bought together by nobody known"


HABITS = """
    with lines as (
        select basket_id, customer_id, product_id
        from features.ftr_baskets cross join unnest(product_ids) as opened (product_id)
        where not is_giant and customer_id is not null
    ),
    sizes as (
        select customer_id, basket_id, count(*) as size from lines group by customer_id, basket_id
    ),
    weights as (
        select customer_id, sum(size * (size - 1)) / (sum(size) ^ 2)::float8 as weight from sizes group by customer_id
    ),
    habits as (
        select customer_id, product_id, count(*)::float8 as baskets from lines group by customer_id, product_id
    ),
    expected as (
        select a.product_id as product_a, b.product_id as product_b, sum(a.baskets * b.baskets * weight) as baskets
        from habits as a
        inner join habits as b on a.customer_id = b.customer_id and a.product_id < b.product_id collate "C"
        inner join weights on a.customer_id = weights.customer_id
        group by a.product_id, b.product_id
    ),
    met as (
        select a.product_id as product_a, b.product_id as product_b, count(*)::int as baskets
        from lines as a
        inner join lines as b on a.basket_id = b.basket_id and a.product_id < b.product_id collate "C"
        group by a.product_id, b.product_id
    )
    select product_a, product_b, coalesce(met.baskets, 0), expected.baskets::float8,
        ((coalesce(met.baskets, 0) + 5) / (expected.baskets + 5))::float8
    from expected
    left join met using (product_a, product_b)
"""
"""Counts of known customers, what their habits explain, and the lift shrunk by five."""


def _counted(shop: Settings, least: int) -> Cooccurrence:
    baskets = Warehouse(shop, "ml").read(BASKETS, {"as_of": AS_OF})
    return fit_cooccurrence(index_baskets(baskets), CooccurrenceParams(min_pair_baskets=least))


def test_customers_equal_the_reference(built: Build, owner: Connection, reference: Reference) -> None:
    found = rows(
        owner,
        "select customer_id, baskets, first_on, last_on, mean_gap_days, mean_basket_products, mean_basket_cents"
        " from features.ftr_customers",
    )
    wanted = {
        key: tuple(float(v) if n > 3 and v is not None else v for n, v in enumerate(values))
        for key, values in reference.ftr_customers().items()
    }
    assert_close(by_key(found, 1), wanted)


def test_a_thousand_bought_reviews_and_a_bot_are_set_apart_and_shown(
    built: Build, plant: Plant, owner: Connection
) -> None:
    """A thousand accounts that were made in this hour each buy the product and give it five stars; a script looks."""
    hour, new = [f"{AS_OF} 10:{n % 60:02d}:{n // 60:02d}+00" for n in range(1000)], [f"new{n}" for n in range(1000)]
    kept = "select count(*) from intermediate.int_reviews_counted where uncounted_reason is null"
    before = rows(owner, kept)
    accounts = list(zip(new, hour, strict=True))
    plant("orders", [{"order_id": who, "customer_id": who, "ordered_at": at} for who, at in accounts])
    line = {"line_number": 1, "product_id": "p03", "quantity": 1, "unit_price_cents": 1}
    plant("order_items", [{"order_id": who, **line} for who, _ in accounts])
    written = {"product_id": "p03", "rating": 5}
    plant("reviews", [{"review_id": who, "customer_id": who, "reviewed_at": at, **written} for who, at in accounts])
    seen = {"customer_id": "script", "event_type": "view", "product_id": "p03"}
    plant("events", [{"event_id": who, "occurred_at": at, **seen} for who, at in accounts])
    try:
        assert rows(owner, kept) == before != [(0,)]
        capped = (
            f"select kind, subject, delivered, counted from marts.fct_capped_evidence where happened_on = '{AS_OF}'"
        )
        found = dict(
            ((kind, subject), (delivered, counted)) for kind, subject, delivered, counted in rows(owner, capped)
        )
        assert found["bot", "script"] == (1000, 500)
        delivered, counted = found["reviews", "p03"]
        assert delivered >= 1000 and counted <= 1
    finally:
        with owner.cursor() as cursor:
            for table, key in (("events", "event_id"), ("reviews", "review_id"), ("order_items", "order_id")):
                cursor.execute(f"delete from raw.{table} where {key} = any(%s)", (new,))
            cursor.execute("delete from raw.orders where order_id = any(%s)", (new,))


def test_product_days_equal_the_reference(built: Build, owner: Connection, reference: Reference) -> None:
    found = rows(
        owner,
        "select product_id, sold_on, units, revenue_cents::int, discount_cents::int, is_promoted"
        " from features.ftr_product_days",
    )
    assert set(found) == reference.ftr_product_days()


def test_planted_future_rows_change_no_feature_and_another_day_stands_beside(
    built: Build, shop: Settings, plant: Plant, owner: Connection
) -> None:
    before = fingerprint(owner, AS_OF)
    assert all(count for count, _ in before.values())
    tomorrow, product = AS_OF + timedelta(days=1), "p03"
    plant("products", [{"product_id": "new", "title": "New", "price_cents": 1, "launched_on": tomorrow}])
    plant("customers", [{"customer_id": "newcomer", "signed_up_on": tomorrow}])
    late = f"{tomorrow} 00:00:00+00"
    plant("orders", [{"order_id": "late", "customer_id": "c1", "ordered_at": late}])
    lines = [("late", 1, product, 7), ("late", 2, "p05", -1), ("late", 3, "new", 1)]
    plant(
        "order_items",
        [dict(order_id=o, line_number=n, product_id=p, quantity=q, unit_price_cents=9999) for o, n, p, q in lines],
    )
    plant("reviews", [{"review_id": "late", "product_id": product, "rating": 1, "reviewed_at": late}])
    plant("stock_levels", [{"product_id": product, "counted_at": late, "on_hand_units": 0}])
    # What begins tomorrow is on the shelves tonight, and known; what begins a day later is not.
    later = tomorrow + timedelta(days=1)
    day = {"starts_on": later, "ends_on": later}
    plant("promotions", [{"promotion_id": "late", "product_id": product, "kind": "display", **day}])

    build(shop, AS_OF)
    assert fingerprint(owner, AS_OF) == before, "a row of tomorrow changed what was known today"

    build(shop, tomorrow)
    assert fingerprint(owner, AS_OF) == before, "the build of another day disturbed this one"
    after = fingerprint(owner, tomorrow)
    assert all(after[table] != before[table] for table in before), "tomorrow knows its own rows"
    assert len(rows(owner, "select 1 from features.ftr_builds")) == 2
