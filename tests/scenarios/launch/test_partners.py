"""Partners of a new product: by category, after its first baskets, and under a merchandiser's rules."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ml.association.backoff import fit_back_off
from ml.scenarios.launch.partners import (
    POOL_SCHEMA,
    choose_partners,
    new_products,
    pool_of,
    reason_of,
    with_first_baskets,
)
from ml.scenarios.rules import Rules
from ml.tables import MERCH_RULES
from tests.association.test_backoff import BASKETS, PLAIN, SOLD, catalogue

AS_OF = date(2024, 3, 31)
USED_ON = AS_OF + timedelta(days=1)
PRICES = pl.DataFrame({"product_id": ["a", "b", "c", "d"], "price_cents": [100, 200, 300, 400]})


def rules(*written: dict[str, Any]) -> Rules:
    whole = [dict.fromkeys(MERCH_RULES.columns) | {"rule_author": "mia", "rule_reason": "why"} | row for row in written]
    frame = pl.DataFrame(whole, schema=dict(MERCH_RULES.columns))
    groups = [pl.col("product_id").alias(name) for name in ("category", "department", "category_path")]
    return Rules.of(frame, PRICES.with_columns(groups), USED_ON, "launch")


def pool(*rows: tuple[str, float, float]) -> pl.DataFrame:
    columns = {"product_id": "new", "evidence": "category", "pair_baskets": 0}
    data = [{**columns, "partner_id": name, "association": a, "basket_share": s} for name, a, s in rows]
    schema = {name: POOL_SCHEMA.get(name, pl.Int32) for name in [*POOL_SCHEMA, "pair_baskets"]}
    return pl.DataFrame(data, schema=schema)


FOUR = pool(("d", 4.0, 0.1), ("c", 3.0, 0.1), ("b", 2.0, 0.1), ("a", 1.5, 0.1))


def names(*written: dict[str, Any], wanted: int = 2) -> list[str]:
    return choose_partners(FOUR, PRICES, rules(*written), wanted)["partner_id"].to_list()


def test_rules_change_the_partners() -> None:
    assert names() == ["d", "c"]
    assert names({"rule_id": "1", "rule_kind": "veto", "product_id": "d"}) == ["c", "b"]
    assert names({"rule_id": "1", "rule_kind": "exclude_category", "category": "c"}) == ["d", "b"]
    floor = {"rule_id": "1", "rule_kind": "price_floor", "product_id": "c", "floor_cents": 301}
    assert names(floor) == ["d", "b"]
    assert names(floor | {"floor_cents": 300}) == ["d", "c"]


def test_what_must_be_included_takes_the_last_place() -> None:
    group = [{"rule_id": n, "rule_kind": "must_include", "product_id": n} for n in ("a", "b")]
    assert names(*group) == ["d", "b"], "the better of the two"
    assert names(*group, wanted=3) == ["d", "c", "b"], "it comes by itself"
    assert names(*group, wanted=1) == ["b"]


def test_products_launched_lately_or_never_sold_are_new() -> None:
    rows = [
        ("old", True, 0, 40, None),
        ("launched", True, 5, None, 27),
        ("long ago", True, 5, None, 28),
        ("first sold", True, 5, 3, None),
        ("never sold", True, 0, None, 300),
        ("known", True, 50, 3, 3),
        ("retired", False, 0, None, 3),
    ]
    frame = pl.DataFrame(
        [(n, is_in, baskets, None if f is None else AS_OF - timedelta(days=f), None if b is None else
          AS_OF - timedelta(days=b)) for n, is_in, baskets, f, b in rows],
        schema=["product_id", "is_bundleable", "baskets", "first_sold_on", "launched_on"],
        schema_overrides={"first_sold_on": pl.Date, "launched_on": pl.Date}, orient="row",
    )  # fmt: skip
    found = new_products(frame.filter(pl.col("product_id") != "old"), AS_OF, 50, 28)
    assert found["product_id"].to_list() == ["first sold", "launched", "never sold"]


def test_the_pool_holds_what_its_category_goes_with() -> None:
    shop = catalogue(("new_bread", "bread")).with_columns(baskets=pl.lit(100))
    model = fit_back_off(BASKETS, shop, "category", PLAIN, seed=1)
    new, evident = (shop.filter(pl.col("product_id").is_in(SOLD) == sold) for sold in (False, True))
    found = pool_of(model, new, evident, 900)
    assert set(found["partner_id"].head(8).str.head(6)) == {"butter"}
    assert not found["partner_id"].str.starts_with("bread").any(), "one bread may replace another"
    assert found["association"].to_numpy().min() > 1


def test_first_baskets_move_the_estimate_as_shrinkage_says() -> None:
    sold = pl.DataFrame(
        {"product_ids": [["new", "d"], ["new", "d"], ["d"], ["c"]] * 10, "is_giant": [False] * 40},
        schema_overrides={"product_ids": pl.List(pl.String)},
    )
    found = with_first_baskets(pool(("d", 2.0, 0.75), ("c", 1.2, 0.25)).drop("pair_baskets"), sold, shrinkage=5.0)
    expected = 20 * 0.75 * 40 / 60  # twenty baskets with room for one, half of all lines are d
    (d,) = found.filter(pl.col("partner_id") == "d").iter_rows(named=True)
    assert d["pair_baskets"] == 20
    assert d["association"] == pytest.approx((20 + 5 * 2.0) / (expected + 5))
    assert d["association_low"] < d["association"] < d["association_high"]
    assert "c" not in found["partner_id"], "never met although expected: no more than chance now"


def test_a_reason_names_categories_numbers_and_the_interval() -> None:
    bread, butter = ({"product_id": n, "title": n.title(), "category": n.upper()} for n in ("bread", "butter"))
    pair = {"evidence": "category", "association": 2.04, "association_low": 0.9, "association_high": 3.14,
            "pair_baskets": 2, "basket_share": 0.031}  # fmt: skip
    assert reason_of(bread, butter, pair) == (
        "BREAD and BUTTER are bought together 2.0 times what the buyers' habits explain (0.9 to 3.1); "
        "together in 2 of its first baskets; Butter is in 3.1 % of all baskets."
    )
