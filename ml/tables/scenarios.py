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
ELASTICITIES = of_results(
    "elasticities",
    ("product_id",),
    {
        "product_id": TEXT,
        **dict.fromkeys(("elasticity", "low", "high"), REAL),
        "level": TEXT,
        "weeks": INT,
        "own_estimate": REAL,
    },
    "own_estimate",
)
BUNDLE_PRICES = of_results(
    "bundle_prices",
    ("bundle_key",),
    {
        "bundle_key": TEXT,
        "bundle_rank": INT,
        "product_ids": TEXTS,
        "bundle_size": INT,
        "is_discounted": FLAG,
        **dict.fromkeys(("list_price_cents", "bundle_price_cents", "discount_cents"), INT),
        **dict.fromkeys(("discount_share", "bundle_margin_cents"), REAL),
        "customers": INT,
        **dict.fromkeys(("units_at_list", "units_at_price", "attach_at_list", "attach_at_price"), REAL),
        **dict.fromkeys(("cannibalised_units", "diverted_units", "pull_forward_units", "incremental_units"), REAL),
        **dict.fromkeys(("units_sensitive", "units_insensitive"), REAL),
        **dict.fromkeys(("expected_incremental_margin_cents", "margin_low_cents", "margin_high_cents"), REAL),
        **dict.fromkeys(("elasticity_level", "demand_source", "margin_note", "reason"), TEXT),
        **dict.fromkeys(("objective", "upper_bound", "gap_pct"), REAL),
    },
    "margin_note",
)
BUNDLE_PRICE_ITEMS = of_results(
    "bundle_price_items",
    ("bundle_key", "position"),
    {
        "bundle_key": TEXT,
        "position": INT,
        "product_id": TEXT,
        **dict.fromkeys(("list_price_cents", "price_cents", "discount_cents"), INT),
    },
)
PROMOTION_PRODUCTS = of_results(
    "promotion_products",
    ("product_id",),
    {
        **dict.fromkeys(("product_id", "category"), TEXT),
        **dict.fromkeys(("starts_on", "ends_on"), DAY),
        "discount_share": REAL,
        **dict.fromkeys(("list_price_cents", "promoted_price_cents"), INT),
        **dict.fromkeys(("base_units", "expected_units", "discount_cost_cents"), REAL),
        "expected_incremental_margin_cents": REAL,
        **dict.fromkeys(("incremental_margin_low_cents", "incremental_margin_high_cents"), REAL),
        **dict.fromkeys(("halo_margin_cents", "substituted_margin_cents", "pulled_margin_cents", "elasticity"), REAL),
        **dict.fromkeys(("elasticity_level", "margin_note", "reason"), TEXT),
        **dict.fromkeys(("objective", "upper_bound", "gap_pct"), REAL),
        **dict.fromkeys(("plan_margin_low_cents", "plan_margin_high_cents"), REAL),
    },
    "category margin_note",
)
PROMOTION_INVITATIONS = of_results(
    "promotion_invitations",
    ("customer_id",),
    {
        "customer_id": TEXT,
        "invitation_rank": INT,
        "product_ids": TEXTS,
        **dict.fromkeys(("probability", "expected_margin_cents"), REAL),
    },
)
CUSTOMER_CARDS = of_results(
    "customer_cards",
    ("customer_id",),
    {
        "customer_id": TEXT,
        "visits": INT,
        **dict.fromkeys(("last_visit_on", "expected_next_visit_on"), DAY),
        "interests": TEXTS,
        **dict.fromkeys(("suggested_bundle_id", "bundle_reason"), TEXT),
        **dict.fromkeys(("lapse_risk", "lapse_risk_low", "lapse_risk_high", "usual_risk"), REAL),
        "talking_points": TEXTS,
        "note": TEXT,
    },
    "last_visit_on expected_next_visit_on suggested_bundle_id bundle_reason lapse_risk lapse_risk_low "
    "lapse_risk_high usual_risk note",
)
DUE_REPURCHASES = of_results(
    "due_repurchases",
    ("customer_id", "product_id"),
    {
        **dict.fromkeys(("customer_id", "product_id"), TEXT),
        "due_rank": INT,
        "due_on": DAY,
        "probability": REAL,
        "baskets": INT,
        "mean_gap_days": REAL,
        "last_on": DAY,
    },
)
CARE_ALERTS = of_results(
    "care_alerts",
    ("customer_id", "kind", "subject"),
    {
        **dict.fromkeys(("customer_id", "kind", "subject", "product_id", "category"), TEXT),
        "priority": INT,
        "at_stake_cents": REAL,
        "is_within_cap": FLAG,
        "detail": TEXT,
    },
    "product_id category at_stake_cents",
)
