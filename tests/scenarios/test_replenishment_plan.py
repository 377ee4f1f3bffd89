"""Reorders by hand, slow movers and their partners, a merchandiser's rules and what they cost."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from ml.demand.forecast import AHEAD_DAYS, Forecast
from ml.demand.spread import WINDOWS, Spread
from ml.scenarios.replenishment.needs import LONGEST_DAYS, Needs, ReplenishmentParams, needs_of
from ml.scenarios.replenishment.plan import Partner, Plan, costs_of_rules
from ml.scenarios.rules import Rules
from ml.tables import DEMAND_FORECASTS, MERCH_RULES, REPLENISHMENT, RULE_COSTS

AS_OF = date(2024, 3, 31)
USED_ON = AS_OF + timedelta(days=1)
PARAMS = ReplenishmentParams(
    service_level=0.95, review_days=7, default_lead_days=None, slow_mover_days=60, assumed_cost_share=None
)
NAMES = ("jam", "rum", "tea")
PARTNERS = {"jam": [Partner("tea", 2.5, 0.1), Partner("rum", 1.5, 0.05)]}


def poisson_forecast(*rates: float) -> Forecast:
    """Return Poisson demand at constant rates."""
    count = len(rates)
    terms = np.zeros((count, len(WINDOWS), 2))
    terms[:, :, 0] = 1.0
    mean = np.repeat(np.array(rates)[:, None], AHEAD_DAYS, axis=1)
    words = np.array(["smooth"] * count)
    return Forecast(NAMES[:count], mean, words, words, Spread(terms, np.ones(count)))


def needs(
    rates: tuple[float, ...], leads: dict[str, int], params: ReplenishmentParams = PARAMS, **induced: float
) -> Needs:
    extra = pl.DataFrame(
        {"product_id": [*induced], "bundle_units_per_day": [*induced.values()]},
        schema={"product_id": pl.String, "bundle_units_per_day": pl.Float64},
    )
    given = pl.DataFrame(
        {"product_id": [*leads], "lead_days": [*leads.values()], "supplier": [None] * len(leads)},
        schema={"product_id": pl.String, "lead_days": pl.Int32, "supplier": pl.String},
    )
    return needs_of(poisson_forecast(*rates), extra, given, params)


def products(*available: int, costs: tuple[int | None, ...] = (60, 60, 60)) -> pl.DataFrame:
    count = len(available)
    return pl.DataFrame(
        {
            "product_id": NAMES[:count],
            "category": ["FOOD", "DRINKS", "DRINKS"][:count],
            "department": ["ALL"] * count,
            "category_path": ["ALL"] * count,
            "available_units": available,
            "price_cents": [100] * count,
            "cost_cents": costs[:count],
        },
        schema_overrides={"cost_cents": pl.Int32},
    )


def rules(known: pl.DataFrame, *written: dict[str, Any]) -> Rules:
    whole = [dict.fromkeys(MERCH_RULES.columns) | {"rule_author": "mia", "rule_reason": "why"} | row for row in written]
    return Rules.of(pl.DataFrame(whole, schema=dict(MERCH_RULES.columns)), known, USED_ON, "replenishment")


def plan(
    available: tuple[int, ...],
    rates: tuple[float, ...],
    leads: dict[str, int],
    *written: dict[str, Any],
    params: ReplenishmentParams = PARAMS,
    **induced: float,
) -> Plan:
    known = products(*available)
    return Plan(needs(rates, leads, params, **induced), known, PARTNERS, rules(known, *written))


def line(made: Plan, product: str = "jam") -> dict[str, Any]:
    rows = made.rows()
    REPLENISHMENT.conform(REPLENISHMENT.frame(rows).with_columns(run_id=1))
    return next(row for row in rows if row["product_id"] == product)


def test_a_reorder_covers_lead_time_and_review_with_the_service_level() -> None:
    point, level = poisson.ppf(0.95, 2 * (3 + 1)), poisson.ppf(0.95, 2 * (3 + 7))
    due = line(plan((int(point),), (2.0,), {"jam": 3}))
    assert (due["action"], due["reorder_point_units"], due["order_up_to_units"]) == ("reorder", point, level)
    assert due["order_units"] == level - point and due["lead_demand_units"] == pytest.approx(8.0)
    assert due["lead_note"] == "given by the shop" and due["cover_days"] == pytest.approx(point / 2)
    fine = line(plan((int(point) + 1,), (2.0,), {"jam": 3}))
    assert (fine["action"], fine["order_units"]) == ("enough", 0) and "above the reorder point" in fine["reason"]


def test_what_bundles_bring_is_reordered_as_well() -> None:
    with_bundles = line(plan((0,), (2.0,), {"jam": 3}, jam=0.5))
    assert with_bundles["daily_units"] == pytest.approx(2.5) and with_bundles["bundle_units_per_day"] == 0.5
    assert with_bundles["order_units"] == poisson.ppf(0.95, 2.5 * 10)


def test_without_a_lead_time_there_is_no_reorder_unless_the_form_assumes_one() -> None:
    unknown = line(plan((0,), (2.0,), {}))
    assert (unknown["action"], unknown["order_units"], unknown["reorder_point_units"]) == ("no_lead_time", 0, None)
    assert unknown["lead_note"] == "not known"
    assumed = line(plan((0,), (2.0,), {}, params=replace(PARAMS, default_lead_days=3)))
    assert assumed["action"] == "reorder" and assumed["lead_note"] == "assumed by the form: 3 days"


def test_a_slow_mover_is_sold_off_with_what_completes_it() -> None:
    slow = line(plan((200, 5, 5), (1.0, 1.0, 1.0), {"jam": 3}))
    assert (slow["action"], slow["partner_ids"], slow["order_units"]) == ("bundle_instead", ["tea", "rum"], 0)
    assert "200 days" in slow["reason"] and "2.5 times as often" in slow["reason"]
    assert line(plan((60,), (1.0,), {"jam": 3}))["action"] == "enough", "60 days are not more than 60"


def test_a_slow_mover_without_partners_in_stock_is_left() -> None:
    for made in (plan((200, 0, 0), (1.0, 1.0, 1.0), {}), plan((5, 200, 5), (1.0, 1.0, 1.0), {})):
        slow = max(made.rows(), key=lambda row: row["available_units"])
        assert (slow["action"], slow["partner_ids"]) == ("enough", []) and "no product in stock" in slow["reason"]


def test_stock_that_has_to_last_longer_than_a_slow_movers_is_not_slow() -> None:
    assert line(plan((95, 5, 5), (1.0, 1.0, 1.0), {"jam": 90}))["action"] == "reorder"
    assert line(plan((125, 5, 5), (1.0, 1.0, 1.0), {"jam": 150}))["action"] == "reorder"


def test_stock_nobody_wants_is_slow_and_has_no_cover() -> None:
    still = line(plan((3, 5, 5), (0.0, 1.0, 1.0), {"jam": 3}))
    assert (still["action"], still["cover_days"]) == ("bundle_instead", None) and "no demand" in still["reason"]
    assert line(plan((0, 5, 5), (0.0, 1.0, 1.0), {"jam": 3}))["action"] == "enough"


SLOW: tuple[Any, ...] = ((200, 5, 5), (1.0, 1.0, 1.0), {"jam": 3, "tea": 3})


@pytest.mark.parametrize(
    ("rule", "action", "partner_ids"),
    [
        ({"rule_kind": "veto", "product_id": "jam"}, "enough", []),
        ({"rule_kind": "veto", "product_id": "tea"}, "bundle_instead", ["rum"]),
        ({"rule_kind": "exclude_category", "category": "DRINKS"}, "enough", []),
        ({"rule_kind": "exclude_category", "category": "FOOD"}, "enough", []),
        ({"rule_kind": "must_include", "product_id": "rum"}, "bundle_instead", ["rum", "tea"]),
        ({"rule_kind": "must_include", "product_id": "jam"}, "bundle_instead", ["tea", "rum"]),
        ({"rule_kind": "price_floor", "product_id": "jam", "floor_cents": 150}, "bundle_instead", ["tea", "rum"]),
    ],
)
def test_a_rule_decides_what_is_sold_off(rule: dict[str, Any], action: str, partner_ids: list[str]) -> None:
    found = line(plan(*SLOW, {"rule_id": "r", **rule}))
    assert (found["action"], found["partner_ids"]) == (action, partner_ids)


def test_a_must_include_that_completes_nothing_leaves_no_proposal() -> None:
    known = products(200, 5, 5)
    partners = {"jam": [Partner("tea", 2.5, 0.1)]}
    wanted = rules(known, {"rule_id": "r", "rule_kind": "must_include", "product_id": "rum"})
    assert line(Plan(needs(*SLOW[1:]), known, partners, wanted))["action"] == "enough"


def test_a_veto_is_about_offers_and_not_about_stock() -> None:
    vetoed = plan((5, 0, 5), (1.0, 1.0, 1.0), {"rum": 3}, {"rule_id": "r", "rule_kind": "veto", "product_id": "rum"})
    assert line(vetoed, "rum")["action"] == "reorder"


def test_a_pinned_product_is_filled_up_before_it_is_due() -> None:
    pin = {"rule_id": "r", "rule_kind": "pin", "product_id": "tea"}
    stock = (5, 5, int(poisson.ppf(0.95, 4)) + 1)
    assert line(plan(stock, (1.0, 1.0, 1.0), {"tea": 3}), "tea")["action"] == "enough"
    pinned = line(plan(stock, (1.0, 1.0, 1.0), {"tea": 3}, pin), "tea")
    assert pinned["action"] == "reorder" and "pinned" in pinned["reason"]
    assert pinned["order_units"] == pinned["order_up_to_units"] - stock[2]


def test_rules_cost_what_their_proposals_would_have_earned() -> None:
    # Ten days of tea and rum at one a day, a tenth and a twentieth of which are with jam beyond chance, at 40 cents.
    made = plan(*SLOW, {"rule_id": "a", "rule_kind": "veto", "product_id": "jam"})
    (cost,) = costs_of_rules(made)
    RULE_COSTS.conform(RULE_COSTS.frame([cost]).with_columns(run_id=1))
    assert (cost["measure"], cost["cost"]) == ("expected_margin_cents", pytest.approx(10 * 0.15 * 40))
    pin, floor = (
        {"rule_kind": "pin", "product_id": "tea"},
        {"rule_kind": "price_floor", "product_id": "tea", "floor_cents": 150},
    )
    stock = (5, 5, int(poisson.ppf(0.95, 4)) + 1)
    made = plan(stock, (1.0, 1.0, 1.0), {"tea": 3}, {"rule_id": "b", **pin}, {"rule_id": "c", **floor})
    pinned, floored = costs_of_rules(made)
    assert pinned["cost"] < 0 and floored["cost"] == 0, "a fuller shelf sells more; a floor changes nothing"


def test_where_a_cost_is_unknown_revenue_is_compared_or_a_cost_assumed() -> None:
    veto = {"rule_id": "a", "rule_kind": "veto", "product_id": "jam"}
    made = plan(*SLOW, veto)
    unknown = replace(made, products=products(200, 5, 5, costs=(None, 60, 60)))
    (cost,) = costs_of_rules(unknown)
    assert (cost["measure"], cost["cost"]) == ("expected_revenue_cents", pytest.approx(10 * 0.15 * 100))
    assumed = replace(unknown, needs=replace(made.needs, params=replace(PARAMS, assumed_cost_share=0.75)))
    (cost,) = costs_of_rules(assumed)
    assert (cost["measure"], cost["cost"]) == ("expected_margin_cents", pytest.approx(10 * 0.15 * 25))
    assert "1 products assumed" in cost["detail"]


@settings(max_examples=40, deadline=None)
@given(
    stock=st.lists(st.integers(0, 300), min_size=3, max_size=3),
    rates=st.lists(st.floats(0, 20), min_size=3, max_size=3),
    lead=st.integers(1, 100),
    level=st.floats(0.5, 0.999),
    review=st.integers(1, 60),
)
def test_orders_are_never_negative_and_fill_up_to_the_level(
    stock: list[int], rates: list[float], lead: int, level: float, review: int
) -> None:
    params = replace(PARAMS, service_level=level, review_days=review)
    for row in plan(tuple(stock), tuple(rates), {"jam": lead, "tea": lead}, params=params).rows():
        assert row["order_units"] >= 0 and (row["order_units"] > 0) == (row["action"] == "reorder")
        assert bool(row["partner_ids"]) == (row["action"] == "bundle_instead")
        if row["action"] == "reorder":
            assert row["available_units"] <= row["reorder_point_units"] <= row["order_up_to_units"]
            assert row["available_units"] + row["order_units"] == row["order_up_to_units"]


def test_each_product_is_forecast_over_its_own_days() -> None:
    known = needs((1.0, 2.0, 0.5), {"jam": 3, "rum": 200}, tea=0.25)
    rows = known.forecast_rows(AS_OF)
    DEMAND_FORECASTS.conform(rows.with_columns(run_id=1))
    assert dict(rows.group_by("product_id").len().iter_rows()) == {"jam": 10, "rum": LONGEST_DAYS, "tea": 7}
    assert rows["forecast_on"].min() == USED_ON
    assert rows.filter(pl.col("q10_units") > pl.col("q50_units")).is_empty()
    tea = rows.filter(pl.col("product_id") == "tea")
    assert tea["bundle_units"].unique().to_list() == [0.25] and tea["base_units"].unique().to_list() == [0.5]
    assert tea["q90_units"].unique().to_list() == [poisson.ppf(0.9, 0.75)]
