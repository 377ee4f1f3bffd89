"""The result tables of the scenarios beside personal bundles."""

from ml.tables.contract import FLAG, INT, REAL, TEXT, of_results

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
