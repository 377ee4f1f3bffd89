"""Usual units, complements and what keeps a product out, worked out by hand."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ml.demand.deal import NO_DEAL
from ml.demand.side_effects import Share, SideEffects
from ml.scenarios.cross_category.plan import lacking, promotion, together
from ml.scenarios.cross_category.responses import Facts, complements, hindrances, period, priced, responses, usual_units
from ml.tables import ASSOCIATIONS, MARKET_SIGNALS, PRODUCTS, PROMOTIONS
from tests.scenarios.cross_category.situations import AS_OF, known, params, response, rule, rules

DAYS = 56


def days(product: str, units: int, paid: float = 1.0, first: int = 0) -> pl.DataFrame:
    """Return so many units at 100 cents on each of the last 56 days, of the newest 28 of which ``paid`` was paid."""
    ages = range(first, DAYS)
    return pl.DataFrame(
        {
            "product_id": [product] * len(ages),
            "sold_on": [AS_OF - timedelta(days=age) for age in ages],
            "units": [units] * len(ages),
            "discount_cents": [round(100 * units * (1 - paid)) if age < 28 else 0 for age in ages],
        }
    ).with_columns(revenue_cents=100 * pl.col("units") - pl.col("discount_cents"))


def catalogue(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {"is_bundleable": True, "price_cents": 100, "cost_cents": 40, "baskets": 100, "category": "C"}
    whole = [dict.fromkeys(PRODUCTS.columns) | usual | row for row in rows]
    return pl.DataFrame(whole, schema=dict(PRODUCTS.columns))


def elastic(*products: str, elasticity: float = -2.0) -> pl.DataFrame:
    facts = {"elasticity": elasticity, "low": elasticity - 1, "high": elasticity + 1, "level": "product"}
    return pl.DataFrame([{"product_id": product, **facts} for product in products])


def facts(products: pl.DataFrame, sold: pl.DataFrame, **given: Any) -> Facts:
    usual: dict[str, Any] = {
        "associations": ASSOCIATIONS.frame([]),
        "elasticities": elastic(*products["product_id"]),
        "effects": SideEffects(Share(0.5, 0.1), Share(0.25, 0.1), Share(0.4, 0.0), 30),
        "promotions": PROMOTIONS.frame([]),
        "baskets": 1000,
        "market_signals": MARKET_SIGNALS.frame([]),
    }
    return Facts(AS_OF, products, sold, **{**usual, **given})


def test_usual_units_are_those_at_the_list_price() -> None:
    found = usual_units(days("jam", 6, paid=0.5), elastic("jam", elasticity=-1.0), AS_OF, NO_DEAL)
    # Half price doubles the units of half of the weeks: 56 days at 6 are 28 x 2 + 28 = 84 usual days' worth.
    assert found["daily_units"].item() == pytest.approx(56 * 6 / 84)


def test_days_without_sales_lower_what_is_usual_and_days_before_the_launch_do_not() -> None:
    pause = days("jam", 6).filter(pl.col("sold_on") < AS_OF - timedelta(days=27))
    assert usual_units(pause, elastic("jam"), AS_OF, NO_DEAL)["daily_units"].item() == pytest.approx(3)
    new = days("jam", 6).filter(pl.col("sold_on") >= AS_OF - timedelta(days=27))
    assert usual_units(new, elastic("jam"), AS_OF, NO_DEAL)["daily_units"].item() == pytest.approx(6)


def pair(association: float, **given: Any) -> pl.DataFrame:
    row = {"product_a": "bread", "product_b": "jam", "association": association, "relation": "complement"}
    return ASSOCIATIONS.frame([{**row, "evidence": "counted", **given}])


def test_complements_are_added_by_what_association_says_beyond_chance() -> None:
    products = catalogue(
        {"product_id": "bread", "baskets": 200, "category": "A"}, {"product_id": "jam", "baskets": 100, "category": "B"}
    )
    sold = pl.concat([days("bread", 10), days("jam", 5)])  # 560 and 280 units: 2.8 a basket of either
    found = complements(pair(3.0), products, sold, 1000).sort("product_id")
    # A basket with bread holds jam with .3 instead of .1; one with jam holds bread with .6 instead of .2.
    assert found["added_units"].to_list() == pytest.approx([0.2, 0.4])
    capped = complements(pair(9.0), products, sold, 1000).sort("product_id")
    assert capped["added_units"].to_list() == pytest.approx([0.5 - 0.1, 1.0 - 0.2]), "no more than the rarer is bought"


@pytest.mark.parametrize("given", [{"association": 0.5}, {"relation": "substitute"}, {"evidence": "estimated"}])
def test_what_is_no_counted_complement_adds_nothing(given: dict[str, Any]) -> None:
    products = catalogue({"product_id": "bread", "category": "A"}, {"product_id": "jam", "category": "B"})
    sold = pl.concat([days("bread", 10), days("jam", 5)])
    assert complements(pair(**{"association": 3.0, **given}), products, sold, 1000).is_empty()
    alike = products.with_columns(category=pl.lit("A"))
    assert complements(pair(3.0), alike, sold, 1000).is_empty()


def test_a_response_holds_what_an_extra_unit_brings_and_takes() -> None:
    products = catalogue(
        {"product_id": "bread", "category": "A", "baskets": 200},
        {"product_id": "jam", "category": "B"},
        {"product_id": "honey", "category": "B", "price_cents": 200, "cost_cents": 180},
        {"product_id": "salt", "category": None},
        {"product_id": "free", "price_cents": None},
        {"product_id": "unknown", "cost_cents": None},
    )
    sold = pl.concat([days("bread", 10), days("jam", 5), days("honey", 15), days("salt", 1), days("unknown", 1)])
    found = responses(facts(products, sold, associations=pair(3.0)), params(promotion_days=7))
    rows = {row["product_id"]: row for row in found.iter_rows(named=True)}
    assert set(rows) == {"bread", "jam", "honey", "salt"}
    assert rows["jam"]["base_units"] == pytest.approx(35)
    assert rows["jam"]["taken_cents"] == pytest.approx(0.5 * 20), "honey alone is like jam, and leaves 20 cents"
    assert rows["jam"]["pulled_cents"] == pytest.approx(0.25 * (5 * 60 + 15 * 20) / 20)
    assert rows["bread"]["taken_cents"] == 0
    assert rows["bread"]["halo_cents"] == pytest.approx(0.4 * 0.2 * 60)
    assert (rows["salt"]["taken_cents"], rows["salt"]["group"]) == (0, "salt")


def test_an_assumed_cost_fills_in_for_unknown_ones_only() -> None:
    products = catalogue({"product_id": "jam"}, {"product_id": "tea", "cost_cents": None})
    found = priced(products, params(assumed_cost_share=0.7))
    assert found["cost"].to_list() == [40.0, 70.0]
    assert found["is_cost_assumed"].to_list() == [False, True]
    assert priced(products, params())["cost"].to_list() == [40.0, None]


def test_what_keeps_products_out_is_said() -> None:
    first, last = period(AS_OF, params(promotion_starts_in_days=3, promotion_days=5))
    assert (first, last) == (date(2024, 4, 3), date(2024, 4, 7))
    calendar = {"kind": "display", "discount_share": None, "store_count": 1}
    promotions = PROMOTIONS.frame(
        [
            {"promotion_id": "1", "product_id": "jam", "starts_on": date(2024, 3, 1), "ends_on": first, **calendar},
            {
                "promotion_id": "2",
                "product_id": "tea",
                "starts_on": date(2024, 3, 1),
                "ends_on": date(2024, 4, 2),
                **calendar,
            },
            {"promotion_id": "3", "product_id": "oil", "starts_on": last, "ends_on": date(2024, 5, 1), **calendar},
        ]
    )
    rows = known(*(response(name) for name in ("jam", "tea", "oil", "salt", "rice")))
    asked = params(promotion_starts_in_days=3, promotion_days=5, promotion_categories=("JAM", "TEA", "SALT"))
    found = hindrances(
        facts(catalogue(), days("jam", 1), promotions=promotions), rows, rules(rule("veto", "salt")), asked
    )
    assert found == {
        "jam": "it is in another promotion in these days",
        "oil": "it is in another promotion in these days",
        "salt": "a rule forbids it",
        "rice": "its category is not asked for",
    }


def test_pins_that_break_the_budget_together_are_not_applied_beyond_it_and_say_why() -> None:
    products = catalogue(*({"product_id": name, "category": name} for name in ("jam", "tea", "oil")))
    sold = pl.concat([days(name, 10) for name in ("jam", "tea", "oil")])
    own = facts(products, sold, effects=SideEffects(Share(0.0, 0.1), Share(0.0, 0.1), Share(0.0, 0.0), 30))
    # 5 % off 70 units costs some 3.90; two products keep within 9.00, three do not.
    asked = params(promotion_days=7, promotion_budget_cents=900, promotion_products=3, max_discount_share=0.05)
    rows = responses(own, asked)
    assert rows.height == 3
    pins = rules(*(rule("pin", name) for name in ("jam", "tea", "oil")))
    assert promotion(own, rows, pins, asked).fault is not None
    told = together(own, rows, pins, asked)
    faults = {one.product_id: one.fault for one in told.rules}
    assert [name for name, fault in faults.items() if fault] == ["tea"], "jam and oil come first"
    assert str(faults["tea"]).startswith("with it and the rules before it there is no promotion: not possible")
    assert set(promotion(own, rows, told, asked).rows["product_id"]) == {"jam", "oil"}


def test_pins_without_any_promotion_are_not_called_obeyed() -> None:
    products = catalogue(*({"product_id": name, "category": name} for name in ("jam", "tea")))
    sold = pl.concat([days(name, 10) for name in ("jam", "tea")])
    numb = facts(products, sold, elasticities=elastic("jam", "tea", elasticity=0.0))
    rows = responses(numb, params())
    told = together(numb, rows, rules(rule("pin", "jam")), params())
    assert "not worth it" in str(told.rules[0].fault)


def test_what_the_shop_does_not_deliver_is_named() -> None:
    products = catalogue({"product_id": "jam"})
    assert lacking(products, elastic("jam"), params()) is None
    none = products.with_columns(cost_cents=pl.lit(None, pl.Int32))
    assert "products.cost_cents" in str(lacking(none, elastic("jam"), params()))
    assert lacking(none, elastic("jam"), params(assumed_cost_share=0.5)) is None
    unpriced = products.with_columns(price_cents=pl.lit(None, pl.Int32))
    assert "products.price_cents" in str(lacking(unpriced, elastic("jam"), params()))
    unsorted = products.with_columns(category=pl.lit(None, pl.String))
    assert str(lacking(unsorted, elastic("jam"), params())).startswith("not available: needs products.category_path")
    assert "different prices" in str(lacking(products, elastic("jam").clear(), params()))
