"""What the market tells moves the usual units of a promotion; without signals they are those of recent weeks."""

import polars as pl
import pytest

from ml.demand.deal import NO_DEAL
from ml.demand.side_effects import Share, SideEffects
from ml.demand.signal_response import signal_response
from ml.scenarios.cross_category.plan import promotion, reason
from ml.scenarios.cross_category.responses import responses, usual_units
from ml.scenarios.rules import Rules
from tests.demand.days import AS_OF, NO_SIGNALS
from tests.demand.signalled import INDEX, NAMES, SHOP, sold, surged
from tests.scenarios.cross_category.situations import params
from tests.scenarios.cross_category.test_responses import elastic, facts

RATIO, NO_EFFECTS = 1.5, SideEffects(*[Share(0.0, 0.0)] * 3, 30)
DAYS = sold(0.8).with_columns(discount_cents=pl.lit(0), revenue_cents=100 * pl.col("units"))
PRODUCTS = SHOP.with_columns(
    is_bundleable=pl.lit(True), price_cents=pl.lit(100), cost_cents=pl.lit(20), baskets=pl.lit(100)
)


def base_units(signals: pl.DataFrame) -> dict[str, float]:
    found = responses(facts(PRODUCTS, DAYS, market_signals=signals), params(promotion_days=7))
    return dict(found.select("product_id", "base_units").iter_rows())


def test_a_surge_of_a_category_raises_its_usual_units_and_no_others() -> None:
    before, after = base_units(INDEX), base_units(surged("FOOD", RATIO))
    power = signal_response(INDEX, DAYS, PRODUCTS, AS_OF).category_demand
    # The newest of eight weeks is itself in the mean of what was told.
    for product, category in SHOP.select("product_id", "category").iter_rows():
        surge = RATIO ** (power * 7 / 8) if category == "FOOD" else 1.0
        assert after[product] == pytest.approx(before[product] * surge)
    assert power > 0.5


def test_a_surge_makes_a_promotion_of_the_category_worth_more() -> None:
    asked = params(promotion_days=7, promotion_categories=("FOOD",), promotion_budget_cents=10_000_000)
    plans = []
    for signals in (NO_SIGNALS, INDEX, surged("FOOD", RATIO)):
        given = facts(
            PRODUCTS, DAYS, market_signals=signals, elasticities=elastic(*NAMES, elasticity=-5.0), effects=NO_EFFECTS
        )
        plans.append(promotion(given, responses(given, asked), Rules(), asked))
    none, usual, surge = plans
    assert surge.objective > usual.objective > 0
    assert "the market's signals" in reason(surge.rows.row(0, named=True))
    assert "the market's signals" not in reason(none.rows.row(0, named=True))


def test_without_signals_the_usual_units_are_those_of_recent_weeks_to_the_last_digit() -> None:
    usual = usual_units(DAYS, elastic(*NAMES), AS_OF, NO_DEAL).with_columns(pl.col("daily_units") * 7)
    given = facts(PRODUCTS, DAYS, market_signals=NO_SIGNALS)
    assert given.effects.deal == NO_DEAL
    assert base_units(NO_SIGNALS) == dict(usual.iter_rows())
