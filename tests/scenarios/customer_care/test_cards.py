"""Cards and alerts of a shop planted by hand: nothing sensitive on any, rules obeyed, the cap kept."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml.demand.lapse import fit_lapse, visit_days
from ml.demand.repurchase import RepurchaseModel
from ml.scenarios.customer_care.alerts import SPENDING_WEEKS, raise_alerts
from ml.scenarios.customer_care.cards import NO_VISIT, Cards, CareFacts, make_cards
from ml.scenarios.customer_care.due import due_products, usual_baskets
from ml.scenarios.customer_care.interests import interests
from ml.scenarios.customer_care.sensitive import is_sensitive
from ml.scenarios.rules import Rules
from ml.tables import CARE_ALERTS, CUSTOMER_CARDS, DUE_REPURCHASES, MERCH_RULES
from tests.demand.test_lapse import world

AS_OF = date(2024, 6, 30)
USED_ON = AS_OF + timedelta(days=1)
LISTED = pl.DataFrame({"match_value": ["%wine%", "baby care"]})
PRODUCTS = pl.DataFrame(
    [
        ("bread", "Rye bread", "FOOD", "BREAD", "FOOD > BREAD", 200, 5),
        ("jam", "Plum jam", "FOOD", "SPREADS", "FOOD > SPREADS", 300, 0),
        ("tea", "Green tea", "FOOD", "TEA", "FOOD > TEA > LEAVES", 400, 5),
        ("red", "Red blend", "DRINKS", "WINES", "DRINKS > WINES", 900, 0),
        ("wipes", "Soft wipes", "CARE", "HYGIENE", "CARE > HYGIENE > Baby Care", 500, 0),
        ("vinegar", "White Wine vinegar", "FOOD", "CONDIMENTS", "FOOD > CONDIMENTS", 250, 0),
    ],
    schema=["product_id", "title", "department", "category", "category_path", "price_cents", "available_units"],
    orient="row",
)
ALWAYS = RepurchaseModel(np.zeros(14), np.ones(14), np.zeros(14), 1.0)
"""Whatever was bought three times is bought again with probability .73."""
PRIVATE = ("Red blend", "WINES", "Soft wipes", "HYGIENE", "White Wine vinegar", "CONDIMENTS", "red", "wipes")


def ago(days: int) -> date:
    return AS_OF - timedelta(days=days)


def baskets() -> pl.DataFrame:
    """Return everything every ten days; ann turned to tea lately, and so to wine."""
    rows = [("ann", ago(day), ["bread", "jam", "red", "vinegar", "wipes"]) for day in range(8, 190, 10)]
    rows += [("ann", ago(day), ["red", "tea", "wipes"]) for day in range(2, 26, 2) if day % 10 != 8]
    rows += [("bob", ago(day), ["bread", "red"]) for day in range(60, 190, 10)]
    frame = pl.DataFrame(rows, schema=["customer_id", "basket_on", "product_ids"], orient="row")
    return frame.with_columns(
        is_giant=pl.lit(False), paid_cents=pl.col("product_ids").list.eval(pl.element().str.len_chars() * 0 + 400)
    ).sort("customer_id", "basket_on")


def facts(lapse_world: bool = False, **changes: object) -> CareFacts:
    sold = baskets()
    lines = sold.explode("product_ids").group_by("customer_id", product_id="product_ids").agg(
        baskets=pl.len().cast(pl.Int32), first_on=pl.col("basket_on").min(), last_on=pl.col("basket_on").max()
    )  # fmt: skip
    gap = (pl.col("last_on") - pl.col("first_on")).dt.total_days() / (pl.col("baskets") - 1)
    people = sold.group_by("customer_id").agg(
        baskets=pl.len(), last_on=pl.col("basket_on").max(), first_on=pl.col("basket_on").min()
    )
    people = people.with_columns(mean_gap_days=gap, mean_basket_cents=pl.lit(2000.0))
    people = pl.concat([people, pl.DataFrame({"customer_id": ["new"], "baskets": [0]}, schema_overrides={
        "baskets": people["baskets"].dtype})], how="diagonal").with_columns(
        days_since_last=(pl.lit(AS_OF) - pl.col("last_on")).dt.total_days()
    )  # fmt: skip
    bundles = [("ann", "b1", 1, 90.0), ("ann", "b2", 2, 50.0), ("ann", "b3", 3, 40.0), ("bob", "b4", 1, 30.0)]
    items = {"b1": ["jam", "red"], "b2": ["bread", "jam"], "b3": ["bread", "tea"], "b4": ["bread", "wipes"]}
    held = [(bundle, place, product) for bundle, own in items.items() for place, product in enumerate(own, start=1)]
    whole = CareFacts(
        AS_OF, PRODUCTS, people, lines.with_columns(mean_gap_days=gap), sold,
        pl.DataFrame(schema={"customer_id": pl.String, "product_id": pl.String, "occurred_on": pl.Date,
                             "event_type": pl.String}),
        pl.DataFrame(bundles, schema=["customer_id", "bundle_id", "bundle_rank", "expected_revenue_cents"],
                     orient="row").with_columns(reason=pl.format("because of {}", "bundle_id")),
        pl.DataFrame(held, schema=["bundle_id", "position", "product_id"], orient="row"),
        LISTED, fit_lapse(world(1), AS_OF) if lapse_world else None, ALWAYS,
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def rules(*written: dict[str, Any]) -> Rules:
    whole = [dict.fromkeys(MERCH_RULES.columns) | {"rule_author": "mia", "rule_reason": "why"} | row for row in written]
    return Rules.of(pl.DataFrame(whole, schema=dict(MERCH_RULES.columns)), PRODUCTS, USED_ON, "customer_care")


def card(made: Cards, who: str) -> dict[str, Any]:
    return next(row for row in made.cards if row["customer_id"] == who)


@pytest.mark.parametrize(("value", "products"), [
    ("%wine%", ["red", "vinegar"]), ("baby care", ["wipes"]), ("CARE", ["wipes"]), ("wine", []), ("spr%ds", ["jam"]),
    ("%.%", []),
])  # fmt: skip
def test_the_list_is_matched_on_any_level_and_on_titles(value: str, products: list[str]) -> None:
    found = PRODUCTS.filter(is_sensitive(PRODUCTS, pl.DataFrame({"match_value": [value]})))
    assert sorted(found["product_id"]) == products


def test_nothing_sensitive_stands_on_any_card_or_alert() -> None:
    asked = facts(lapse_world=True)
    made = make_cards(asked, rules())
    alerts = raise_alerts(asked, made, rules(), cap=9)
    everything = repr([made.cards, made.due, alerts])
    assert not [word for word in PRIVATE if f"'{word}'" in everything or f" {word} " in everything]
    assert "Plum jam" in everything and "TEA" in everything
    free = make_cards(replace(asked, listed=LISTED.clear()), rules())
    assert "Red blend" in repr(free.cards), "without the list it would be said"


def test_a_bundle_with_something_sensitive_gives_way_to_the_next_one() -> None:
    made = make_cards(facts(), rules())
    assert card(made, "ann")["suggested_bundle_id"] == "b2"
    assert card(made, "bob")["suggested_bundle_id"] is None
    assert "no bundle that may be suggested" in card(made, "bob")["note"]


@pytest.mark.parametrize(("rule", "bundle", "due"), [
    ({"rule_kind": "veto", "product_id": "jam"}, "b3", {"bread", "tea"}),
    ({"rule_kind": "exclude_category", "category": "SPREADS"}, "b3", {"bread", "tea"}),
    ({"rule_kind": "price_floor", "product_id": "jam", "floor_cents": 301}, "b3", {"bread", "tea"}),
    ({"rule_kind": "price_floor", "product_id": "jam", "floor_cents": 300}, "b2", {"bread", "jam", "tea"}),
    ({"rule_kind": "pin", "product_id": "tea"}, "b3", {"bread", "jam", "tea"}),
    ({"rule_kind": "must_include", "product_id": "tea"}, "b3", {"bread", "jam", "tea"}),
])  # fmt: skip
def test_rules_are_obeyed(rule: dict[str, Any], bundle: str, due: set[str]) -> None:
    made = make_cards(facts(), rules({"rule_id": "r", **rule}))
    assert card(made, "ann")["suggested_bundle_id"] == bundle
    assert {row["product_id"] for row in made.due if row["customer_id"] == "ann"} == due
    assert make_cards(facts(), rules()).value - made.value == (0.0 if bundle == "b2" else 10.0)


def test_a_customer_who_never_bought_has_a_card_that_says_so() -> None:
    made = make_cards(facts(lapse_world=True), rules())
    row = card(made, "new")
    assert (row["note"], row["talking_points"], row["interests"], row["lapse_risk"]) == (NO_VISIT, [], [], None)
    assert row["expected_next_visit_on"] is None


def test_rows_fit_their_tables_and_twice_the_same() -> None:
    asked = facts(lapse_world=True)
    made, again = (make_cards(asked, rules()) for _ in range(2))
    assert made.cards == again.cards
    alerts = raise_alerts(asked, made, rules(), cap=1)
    for table, rows in ((CUSTOMER_CARDS, made.cards), (DUE_REPURCHASES, made.due), (CARE_ALERTS, alerts)):
        table.conform(table.frame(rows).with_columns(run_id=1))


def test_due_is_what_is_likely_first_the_likeliest() -> None:
    sold = usual_baskets(baskets())
    by_gap = replace(ALWAYS, weights=np.array([0, -1.0, *[0.0] * 12]), intercept=2.0)
    found = due_products(sold, PRODUCTS, by_gap, AS_OF, 9)
    ann = found.filter(pl.col("customer_id") == "ann")
    assert ann["due_rank"].to_list() == list(range(1, ann.height + 1))
    assert ann["probability"].is_sorted(descending=True)
    due = dict(ann.select("product_id", "due_on").iter_rows())
    assert due["bread"] == ago(8) + timedelta(days=10)
    assert found.filter(pl.col("customer_id") == "bob").is_empty(), "sixty days: not likely any more"
    assert due_products(sold, PRODUCTS, ALWAYS, AS_OF, 1).height == 2, "one for each"
    assert due_products(sold, PRODUCTS, None, AS_OF, 9).is_empty()
    late = due_products(sold, PRODUCTS, ALWAYS, AS_OF, 9).filter(pl.col("customer_id") == "bob")
    assert set(late["due_on"]) == {USED_ON}, "overdue: the next day"


def test_an_interest_is_told_from_the_customers_own_past() -> None:
    signs = [("ann", "TEA", ago(day), False) for day in (1, 3, 5, 7, 9, 11, 13)]
    signs += [("ann", "BREAD", ago(day), False) for day in range(1, 190, 4)]
    schema = {"customer_id": pl.String, "category": pl.String, "on": pl.Date, "is_event": pl.Boolean}
    found = {row["category"]: row for row in interests(pl.DataFrame(signs, schema, orient="row"), AS_OF).to_dicts()}
    assert (found["TEA"]["recent"], found["TEA"]["usual"], found["TEA"]["is_spike"]) == (7, 0.0, True)
    assert (found["BREAD"]["recent"], found["BREAD"]["is_spike"]) == (7, False)
    assert found["BREAD"]["usual"] == pytest.approx(28 * 41 / 162)
    short = interests(pl.DataFrame(signs[:7], schema, orient="row"), AS_OF)
    assert short["usual"].to_list() == [None] and not short["is_spike"].any(), "no past, no usual"


def test_alerts_compete_for_the_cap_by_what_is_at_stake() -> None:
    asked = facts(lapse_world=True)
    made = make_cards(asked, rules())
    alerts = raise_alerts(asked, made, rules(), cap=1)
    kinds = {row["kind"] for row in alerts}
    assert {"favourite_sold_out", "interest_spike", "lapse_risk"} == kinds
    assert [row["priority"] for row in alerts] == list(range(1, len(alerts) + 1))
    assert [row["is_within_cap"] for row in alerts] == [True] + [False] * (len(alerts) - 1)
    stakes = [row["at_stake_cents"] for row in alerts]
    assert stakes == sorted(stakes, reverse=True)
    (sold_out,) = [row for row in alerts if row["kind"] == "favourite_sold_out"]
    assert (sold_out["customer_id"], sold_out["product_id"]) == ("ann", "jam"), "wine is sold out, too, and not named"


def test_without_stock_no_favourite_is_called_sold_out_and_the_gone_raise_no_alarm() -> None:
    uncounted = PRODUCTS.with_columns(available_units=pl.lit(None, pl.Int32))
    asked = facts(lapse_world=True, products=uncounted)
    made = make_cards(asked, rules())
    assert "favourite_sold_out" not in {row["kind"] for row in raise_alerts(asked, made, rules(), cap=9)}
    later = replace(asked, as_of=AS_OF + timedelta(weeks=SPENDING_WEEKS))
    gone = raise_alerts(later, make_cards(later, rules()), rules(), cap=9)
    assert not [row for row in gone if row["kind"] == "lapse_risk" and row["customer_id"] == "bob"]


def test_visits_to_buy_sensitive_things_still_count_as_visits() -> None:
    only = baskets().with_columns(product_ids=pl.lit(["red"]))
    assert visit_days(only).height == visit_days(baskets()).height
