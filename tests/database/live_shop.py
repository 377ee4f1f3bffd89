"""A published run in the database for ``serve.complete_basket``: as a plain :class:`Shop`, and planted."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import date
from typing import Any

import numpy as np
import psycopg2.extensions
from psycopg2.extras import execute_values

from tests.database.basket_reference import Count, Pair, Product, Shop

AS_OF = date(2024, 3, 31)
CREATE = """
create table if not exists features.ftr_products (
    as_of date, product_id text, title text, department text, category text, category_path text,
    price_cents integer, is_bundleable boolean, baskets integer, primary key (as_of, product_id)
);
create table if not exists features.ftr_builds (as_of date primary key, baskets integer);
truncate features.ftr_products, features.ftr_builds, raw.products, raw.stock_levels, ops.published
"""


def plant(owner: psycopg2.extensions.connection, shop: Shop, is_published: bool = True) -> int:
    """Make the shop the only one in the database and return its run."""
    with owner.cursor() as cursor:
        cursor.execute(CREATE)
        cursor.execute(
            "select run_id from ops.open_run('personal', %s, gen_random_uuid()::text, 1, '{}', '')", (AS_OF,)
        )
        (run_id,) = cursor.fetchone() or (0,)
        rows: dict[str, Sequence[tuple[Any, ...]]] = {
            "raw.products (product_id, load_id)": [(p.product_id, 1) for p in shop.products],
            "raw.stock_levels": [(*astuple(count), 1) for count in shop.counts],
            "features.ftr_builds": [(shop.as_of, shop.baskets)],
            "features.ftr_products": [
                (shop.as_of, p.product_id, p.title, "FOOD", p.category, f"FOOD > {p.category}", p.price_cents,
                 p.is_bundleable, p.baskets)
                for p in shop.products
            ],
            "ml.associations": [(run_id, *astuple(pair)) for pair in shop.pairs],
            "ml.candidates": [
                (run_id, customer, product, preference, ["bought"], 1, 1.0)
                for (customer, product), preference in shop.preferences.items()
            ],
            "ml.applied_rules": [
                (run_id, str(n), kind, None if "category" in kind else about, about if "category" in kind else None,
                 floor, "mia", "as planned", is_applied, "planted")
                for n, (kind, about, floor, is_applied) in enumerate(shop.rules)
            ],
        }  # fmt: skip
        for table, values in rows.items():
            if values:
                execute_values(cursor, f"insert into {table} values %s", values)
        if is_published:
            cursor.execute(
                "insert into ops.published (scope, run_id, as_of) values ('personal', %s, %s)", (run_id, AS_OF)
            )
    return int(run_id)


def random_shop(seed: int, is_counting: bool, size: int = 40, paired_share: float = 0.15) -> Shop:
    """Return a small shop with all that may be in the way: prices, stock, substitutes, avoided pairs, rules."""
    rng = np.random.default_rng(seed)
    names = [f"p{n:03d}" for n in range(size)]
    products = [
        Product(
            name,
            None if rng.random() < 0.1 else f"Product {name}",
            f"C{rng.integers(8)}",
            None if rng.random() < 0.05 else int(rng.integers(0, 12)) * 50,
            bool(rng.random() > 0.05),
            int(rng.integers(0, 60)),
        )
        for name in names
    ]
    pairs = []
    for first in range(len(names)):
        for second in range(first + 1, len(names)):
            if rng.random() < paired_share:
                pairs.append(_pair(rng, names[first], names[second]))
    counts = [
        Count(name, warehouse, f"2024-03-{day:02d} 08:00+00", int(rng.integers(0, 4)), int(rng.integers(0, 3)))
        for name in names
        for warehouse in ("east", "north", "west")
        for day in (1, 2, 30)
        if is_counting and rng.random() < 0.4
    ]
    preferences = {
        (customer, name): float(rng.integers(0, 5)) / 7
        for customer in ("ann", "bob")
        for name in names
        if rng.random() < 0.4
    }
    rules: list[tuple[str, str, int | None, bool]] = [
        ("veto", names[3], None, True),
        ("veto", names[4], None, False),
        ("exclude_category", "C7", None, True),
        ("price_floor", names[5], 300, True),
    ]
    return Shop(AS_OF, products, pairs, counts, preferences, 200, rules)


def _pair(rng: np.random.Generator, first: str, second: str) -> Pair:
    if rng.random() < 0.15:  # a new product: estimated
        return Pair(first, second, 0, 0.0, 0.0, 0.0, 0.0, float(rng.integers(0, 4)), "undecided", "category")
    together, expected = int(rng.integers(5, 30)), float(rng.integers(0, 30))
    lift = together / expected if expected else 0.0
    relation = str(rng.choice(["complement", "undecided", "substitute"], p=[0.6, 0.37, 0.03]))
    association = 0.0 if relation == "substitute" else (together + 5) / (expected + 5)
    return Pair(first, second, together, expected, lift, lift * 0.7, lift * 1.5, association, relation, "counted")
