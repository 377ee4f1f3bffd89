"""The tables Python reads and writes, as contracts.

A frame that differs from its table is refused before anything is written. The same columns stand in
``database/migrations`` (raw, ml) and in dbt (features).
"""

from ml.tables.contract import Table
from ml.tables.features import (
    BASKETS,
    CUSTOMER_PRODUCTS,
    CUSTOMERS,
    EVENTS,
    GIVEN_BUNDLES,
    LEAD_TIMES,
    MARKET_SIGNALS,
    MERCH_RULES,
    PRODUCT_DAYS,
    PRODUCT_FACTS,
    PRODUCTS,
    STOCK_OUTS,
)
from ml.tables.results import (
    ASSOCIATIONS,
    BUNDLE_ITEMS,
    BUNDLES,
    CANDIDATES,
    CATALOGUE_BUNDLES,
    CATALOGUE_GAPS,
    GIVEN_BUNDLE_RANKS,
    GIVEN_CANDIDATES,
    POLICY_METRICS,
    SHADOW_PRICES,
    WHY_NOT,
)
from ml.tables.scenarios import (
    APPLIED_RULES,
    DEMAND_FORECASTS,
    LAUNCH_AUDIENCE,
    LAUNCH_PARTNERS,
    LAUNCHES,
    REPLENISHMENT,
    RULE_COSTS,
    SCENARIO_METRICS,
    UNAVAILABLE,
)

__all__ = [
    "APPLIED_RULES",
    "ASSOCIATIONS",
    "BASKETS",
    "BUNDLES",
    "BUNDLE_ITEMS",
    "CANDIDATES",
    "CATALOGUE_BUNDLES",
    "CATALOGUE_GAPS",
    "CUSTOMERS",
    "CUSTOMER_PRODUCTS",
    "DEMAND_FORECASTS",
    "EVENTS",
    "GIVEN_BUNDLES",
    "GIVEN_BUNDLE_RANKS",
    "GIVEN_CANDIDATES",
    "LAUNCHES",
    "LAUNCH_AUDIENCE",
    "LAUNCH_PARTNERS",
    "LEAD_TIMES",
    "MARKET_SIGNALS",
    "MERCH_RULES",
    "POLICY_METRICS",
    "PRODUCTS",
    "PRODUCT_DAYS",
    "PRODUCT_FACTS",
    "REPLENISHMENT",
    "RULE_COSTS",
    "SCENARIO_METRICS",
    "SHADOW_PRICES",
    "STOCK_OUTS",
    "UNAVAILABLE",
    "WHY_NOT",
    "Table",
]
