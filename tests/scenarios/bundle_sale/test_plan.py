"""A sale obeys its rules, has one price for a product set, and says why there is none."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ml.association.cooccurrence import CooccurrenceParams
from ml.demand.quantity import Quantity
from ml.demand.side_effects import NOTHING, Share, SideEffects
from ml.params import RunParams
from ml.scenarios.bundle_sale.plan import BELOW_FLOOR, NEEDS_COST, NEEDS_PRICES, Sale, bundle_key, plan_sale
from ml.scenarios.bundle_sale.world import World, demand_of
from ml.scenarios.rules import Rules
from ml.tables import BUNDLE_PRICE_ITEMS, BUNDLE_PRICES, MERCH_RULES

AS_OF = date(2024, 3, 31)
USED_ON = AS_OF + timedelta(days=1)
PAIRS = [("bread", "jam"), ("milk", "tea"), ("oil", "salt")]
NAMES = [name for pair in PAIRS for name in pair]
PRODUCTS = pl.DataFrame(
    {
        "product_id": NAMES,
        "title": [name.title() for name in NAMES],
        "category": [name.upper() for name in NAMES],
        "department": ["FOOD"] * 6,
        "category_path": [f"FOOD > {name.upper()}" for name in NAMES],
        "price_cents": [200, 220, 180, 260, 400, 100],
        "cost_cents": [40, 44, 36, 52, 80, 20],
        "available_units": pl.Series([None] * 6, dtype=pl.Int32),
        "is_bundleable": [True] * 6,
    }
)


def world(**changed: Any) -> World:
    """Return a shop where offers pay: costs are a fifth of the price, and each pair lacks one product often."""
    baskets, number = [], 0
    for first, second in PAIRS:
        for held in ([first, second], [first], [second]) * 4:
            number += 1
            baskets.append(
                {
                    "basket_id": f"b{number}",
                    "customer_id": f"c{number % 7}",
                    "basket_on": AS_OF - timedelta(days=number),
                    "product_ids": held,
                    "quantities": [1] * len(held),
                    "paid_cents": [100] * len(held),
                    "is_giant": False,
                }
            )
    preferences = [(f"c{c}", name, 0.3, 1.0) for c in range(7) for name in NAMES]
    own = {
        "as_of": AS_OF,
        "params": RunParams(scenario="bundle_sale", bundle_size=2, sale_bundles=3),
        "counting": CooccurrenceParams(),
        "products": PRODUCTS,
        "bundles": pl.DataFrame({"bundle_id": ["1", "2", "3"], "customer_id": ["c1", "c2", "c3"]}),
        "items": pl.DataFrame(
            {"bundle_id": ["1", "1", "2", "2", "3", "3"], "product_id": [name for pair in PAIRS for name in pair]}
        ),
        "preferences": pl.DataFrame(
            preferences, schema=["customer_id", "product_id", "preference", "basket_spread"], orient="row"
        ),
        "pairs": pl.DataFrame(
            {
                "product_a": ["bread", "jam", "milk", "oil"],
                "product_b": ["jam", "milk", "tea", "salt"],
                "pair_baskets": [20, 9, 20, 20],
                "expected_baskets": [4.0, 4.0, 4.0, 4.0],
                "relation": ["complement", "undecided", "complement", "complement"],
            }
        ),
        "baskets": pl.DataFrame(baskets),
        "product_days": pl.DataFrame(
            {"product_id": NAMES, "sold_on": [AS_OF] * 6, "units": [9] * 6, "price_cents": [100] * 6}
        ),
        "elasticity": pl.DataFrame(
            {"product_id": NAMES, "elasticity": -2.5, "low": -3.0, "high": -2.0, "level": "product"}
        ),
        "effects": SideEffects(Share(0.1, 0.05), Share(0.1, 0.05), NOTHING, 50),
        "level": pl.DataFrame(
            schema={"product_id": pl.String, "level_ratio": pl.Float64, "source": pl.String}
        ),
        "quantity": Quantity(0.1),
    }  # fmt: skip
    return World(**(own | changed))


def rules(*written: dict[str, Any]) -> Rules:
    whole = [
        dict.fromkeys(MERCH_RULES.columns) | {"rule_id": f"r{n}", "rule_author": "mia", "rule_reason": "why"} | row
        for n, row in enumerate(written)
    ]
    return Rules.of(pl.DataFrame(whole, schema=dict(MERCH_RULES.columns)), PRODUCTS, USED_ON, "bundle_sale")


def sets(sale: Sale) -> set[tuple[str, ...]]:
    return {tuple(row["product_ids"]) for row in sale.prices}


def test_offers_that_pay_are_made_and_their_rows_keep_the_contract() -> None:
    sale = plan_sale(world(), Rules())
    assert sale.unavailable is None and sale.value > 0
    assert sets(sale) == set(PAIRS) and all(row["is_discounted"] for row in sale.prices)
    assert sale.value == pytest.approx(sum(row["expected_incremental_margin_cents"] for row in sale.prices))
    BUNDLE_PRICES.conform(BUNDLE_PRICES.frame(sale.prices).with_columns(run_id=1))
    BUNDLE_PRICE_ITEMS.conform(BUNDLE_PRICE_ITEMS.frame(sale.items).with_columns(run_id=1))
    for row in sale.prices:
        own = [item["price_cents"] for item in sale.items if item["bundle_key"] == row["bundle_key"]]
        assert sum(own) == row["bundle_price_cents"]
        units = row["units_at_list"] + row["diverted_units"] + row["pull_forward_units"] + row["incremental_units"]
        assert units == pytest.approx(row["units_at_price"])
        assert row["discount_share"] <= 0.3 and row["margin_low_cents"] <= row["margin_high_cents"]


def test_a_product_set_has_one_price_whoever_its_customers_are() -> None:
    """The segments of customers are turned round, and neither a price nor a choice changes."""
    days = pl.DataFrame({"product_id": NAMES, "units": [9] * 6, "price_cents": [100] * 6}).join(
        world().baskets.select(sold_on="basket_on").unique(), how="cross"
    )
    half = pl.col("customer_id").is_in(["c0", "c1", "c2"])
    found = []
    for is_cheap in (half, ~half):
        paid = pl.when(is_cheap).then(pl.col("paid_cents").list.eval(pl.element() * 0 + 70)).otherwise("paid_cents")
        many = pl.concat([world().baskets.with_columns(paid_cents=paid)] * 6)
        found.append(plan_sale(world(baskets=many, product_days=days), Rules()))
    prices = [{row["bundle_key"]: row["bundle_price_cents"] for row in sale.prices} for sale in found]
    assert prices[0] == prices[1] and len(prices[0]) == 3
    segments = [{row["bundle_key"]: row["units_sensitive"] for row in sale.prices} for sale in found]
    assert segments[0] != segments[1], "only what is told of the segments differs"
    assert not {"customer_id", "segment"} & set(BUNDLE_PRICES.columns)


def test_a_veto_and_an_excluded_category_keep_products_out() -> None:
    vetoed = plan_sale(world(), rules({"rule_kind": "veto", "product_id": "jam"}))
    assert "jam" not in {product for own in sets(vetoed) for product in own}
    excluded = plan_sale(world(), rules({"rule_kind": "exclude_category", "category": "TEA"}))
    assert "tea" not in {product for own in sets(excluded) for product in own}
    assert vetoed.value < plan_sale(world(), Rules()).value


def test_a_pinned_product_finds_a_bundle_even_one_that_earns_nothing() -> None:
    params = replace(world().params, sale_bundles=1)
    ruled = plan_sale(world(params=params), rules({"rule_kind": "pin", "product_id": "salt"}))
    assert [tuple(row["product_ids"]) for row in ruled.prices] == [("oil", "salt")]
    numb = world().elasticity.with_columns(elasticity=pl.lit(0.0), low=pl.lit(0.0), high=pl.lit(0.0))
    listed = plan_sale(world(params=params, elasticity=numb), rules({"rule_kind": "pin", "product_id": "salt"}))
    (row,) = listed.prices
    assert row["product_ids"] == ["oil", "salt"] and not row["is_discounted"] and row["discount_cents"] == 0
    assert "at list price" in row["reason"] and listed.value == 0


def test_a_pin_that_no_bundle_can_hold_says_so() -> None:
    few = world(items=world().items.head(4), bundles=world().bundles.head(2), pairs=world().pairs.head(3))
    sale = plan_sale(few, rules({"rule_kind": "pin", "product_id": "salt"}))
    assert [rule.fault for rule in sale.rules.rules] == ["no bundle of the sale can hold it"]
    assert sale.prices


def test_each_bundle_holds_one_of_the_products_that_must_be_in() -> None:
    sale = plan_sale(world(), rules(*({"rule_kind": "must_include", "product_id": p} for p in ("tea", "oil"))))
    assert sets(sale) == {("milk", "tea"), ("oil", "salt")}


def test_no_product_is_paid_below_its_floor() -> None:
    free = {item["product_id"]: item["price_cents"] for item in plan_sale(world(), Rules()).items}
    floor = free["tea"] + 15
    ruled = plan_sale(world(), rules({"rule_kind": "price_floor", "product_id": "tea", "floor_cents": floor}))
    assert {item["product_id"]: item["price_cents"] for item in ruled.items}["tea"] >= floor


def test_a_product_whose_list_price_lies_below_its_floor_is_in_no_bundle() -> None:
    ruled = plan_sale(world(), rules({"rule_kind": "price_floor", "product_id": "tea", "floor_cents": 100_000}))
    assert ruled.items
    assert "tea" not in {item["product_id"] for item in ruled.items}


def test_a_bundle_below_the_margin_floor_at_its_list_price_is_in_no_sale() -> None:
    dear = pl.when(pl.col("product_id").is_in(["oil", "salt"])).then(pl.col("price_cents") * 0.95)
    products = PRODUCTS.with_columns(cost_cents=dear.otherwise("cost_cents").round().cast(pl.Int64))
    params = replace(world().params, min_margin_share=0.1)
    sale = plan_sale(world(products=products, params=params), rules({"rule_kind": "pin", "product_id": "salt"}))
    assert sets(sale) == {("bread", "jam"), ("milk", "tea")}
    assert [rule.fault for rule in sale.rules.rules] == ["each bundle with it lies below the margin floor"]
    everything = PRODUCTS.with_columns(cost_cents=pl.col("price_cents"))
    none = plan_sale(world(products=everything, params=params), Rules())
    assert (none.prices, none.unavailable) == ([], BELOW_FLOOR)


def test_costs_that_are_not_known_are_assumed_aloud_or_not_at_all() -> None:
    unknown = PRODUCTS.with_columns(cost_cents=pl.lit(None, pl.Int32))
    assert plan_sale(world(products=unknown), Rules()).unavailable == NEEDS_COST
    assumed = world(products=unknown, params=replace(world().params, assumed_cost_share=0.2))
    sale = plan_sale(assumed, Rules())
    assert all("assumed: 0.2 of the list price" in row["margin_note"] for row in sale.prices)
    assert plan_sale(world(elasticity=world().elasticity.clear()), Rules()).unavailable == NEEDS_PRICES


def test_stock_less_the_reserve_is_never_over_promised() -> None:
    scarce = world(
        products=PRODUCTS.with_columns(available_units=pl.lit(5, pl.Int32)),
        params=replace(world().params, reserve_units=1),
    )
    free, bound = plan_sale(world(), Rules()), plan_sale(scarce, Rules())
    assert max(row["units_at_price"] for row in free.prices) > 4
    assert all(row["units_at_price"] <= 4 for row in bound.prices)


def test_two_plans_are_the_same_and_the_order_of_rows_does_not_matter() -> None:
    turned = world(items=world().items.reverse(), pairs=world().pairs.reverse(), baskets=world().baskets.reverse())
    assert plan_sale(world(), Rules()).prices == plan_sale(world(), Rules()).prices
    assert plan_sale(turned, Rules()).items == plan_sale(world(), Rules()).items


def test_a_set_has_one_name() -> None:
    assert bundle_key(["tea", "milk"]) == bundle_key(["milk", "tea"]) != bundle_key(["milk", "jam"])


def test_what_was_seen_corrects_what_was_expected() -> None:
    # 3 baskets of prior say 10, 7 baskets were seen: (3 + 7) / (3 / 10 + 1) = 7.69 in 84 days, a third of it in 28.
    demand = demand_of(10.0, 7.0, 1.0, 1.0, 28, 99.0)
    assert demand.mean == pytest.approx(10 / 1.3 / 3) and demand.shape == 10
    assert demand_of(0.0, 0.0, 1.0, 1.0, 28, 99.0).mean < 1e-5
