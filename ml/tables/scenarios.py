"""The result tables of the scenarios beside personal bundles."""

from ml.tables.contract import DAY, FLAG, INT, REAL, TEXT, TEXTS, of_results

APPLIED_RULES = of_results(
    "applied_rules",
    ("rule_id",),
    {
        **dict.fromkeys(("rule_id", "kind", "product_id", "category"), TEXT),
        "floor_cents": INT,
        **dict.fromkeys(("author", "reason"), TEXT),
        "is_applied": FLAG,
        "detail": TEXT,
    },
    "product_id category floor_cents",
)
RULE_COSTS = of_results(
    "rule_costs",
    ("rule_id",),
    {
        **dict.fromkeys(("rule_id", "measure"), TEXT),
        **dict.fromkeys(("value_with", "value_without", "cost"), REAL),
        "detail": TEXT,
    },
)
SCENARIO_METRICS = of_results(
    "scenario_metrics",
    ("kpi", "variant"),
    {
        **dict.fromkeys(("kpi", "variant"), TEXT),
        **dict.fromkeys(("value", "low", "high"), REAL),
        **dict.fromkeys(("unit", "peer"), TEXT),
        **dict.fromkeys(("peer_value", "difference", "difference_low", "difference_high"), REAL),
        "cases": INT,
        "judged_on": TEXT,
    },
    "low high peer peer_value difference difference_low difference_high",
)
UNAVAILABLE = of_results("unavailable", ("result",), {"result": TEXT, "reason": TEXT})
DEMAND_FORECASTS = of_results(
    "demand_forecasts",
    ("product_id", "forecast_on"),
    {
        "product_id": TEXT,
        "forecast_on": DAY,
        **dict.fromkeys(("base_units", "bundle_units", "q10_units", "q50_units", "q90_units"), REAL),
        "model": TEXT,
    },
)
REPLENISHMENT = of_results(
    "replenishment",
    ("product_id",),
    {
        "product_id": TEXT,
        **dict.fromkeys(("available_units", "lead_days"), INT),
        "lead_note": TEXT,
        **dict.fromkeys(("daily_units", "bundle_units_per_day", "lead_demand_units"), REAL),
        **dict.fromkeys(("reorder_point_units", "order_up_to_units", "order_units"), INT),
        "cover_days": REAL,
        "action": TEXT,
        "partner_ids": TEXTS,
        **dict.fromkeys(("reason", "model", "demand_class"), TEXT),
    },
    "lead_days lead_demand_units reorder_point_units order_up_to_units cover_days",
)

LAUNCHES = of_results(
    "launches",
    ("product_id",),
    {
        "product_id": TEXT,
        "launched_on": DAY,
        "is_launched": FLAG,
        **dict.fromkeys(("partners", "impressions", "budget_impressions"), INT),
        "is_pinned": FLAG,
        "past_launches": INT,
        **dict.fromkeys(("conversion", "conversion_low", "conversion_high", "drawn_conversion"), REAL),
        **dict.fromkeys(("list_price_cents", "available_units"), INT),
        **dict.fromkeys(("expected_units", "expected_revenue_cents", "expected_margin_cents"), REAL),
        "reason": TEXT,
        "is_exploration": FLAG,
    },
    "launched_on conversion conversion_low conversion_high drawn_conversion list_price_cents available_units "
    "expected_units expected_revenue_cents expected_margin_cents",
)
LAUNCH_PARTNERS = of_results(
    "launch_partners",
    ("product_id", "partner_rank"),
    {
        "product_id": TEXT,
        "partner_rank": INT,
        "partner_id": TEXT,
        **dict.fromkeys(("association", "association_low", "association_high"), REAL),
        "evidence": TEXT,
        "pair_baskets": INT,
        **dict.fromkeys(("basket_share", "expected_share"), REAL),
        "reason": TEXT,
    },
)
LAUNCH_AUDIENCE = of_results(
    "launch_audience",
    ("product_id", "customer_id"),
    {
        **dict.fromkeys(("product_id", "customer_id"), TEXT),
        "audience_rank": INT,
        **dict.fromkeys(("interest", "expected_probability"), REAL),
        "reason": TEXT,
        "is_exploration": FLAG,
    },
    "expected_probability",
)
