"""The result tables of personal bundles, and of what is judged."""

from ml.tables.contract import DAY, FLAG, INT, REAL, TEXT, TEXTS, DataType, of_results

_SCORED: dict[str, DataType] = {"customer_id": TEXT, "product_id": TEXT, "preference": REAL, "sources": TEXTS}
CANDIDATES = of_results(
    "candidates", ("customer_id", "product_id"), {**_SCORED, "candidate_rank": INT, "basket_spread": REAL}
)
GIVEN_CANDIDATES = of_results("given_candidates", ("customer_id", "product_id"), _SCORED)
ASSOCIATIONS = of_results(
    "associations",
    ("product_a", "product_b"),
    {
        "product_a": TEXT,
        "product_b": TEXT,
        "pair_baskets": INT,
        **dict.fromkeys(("expected_baskets", "lift", "lift_low", "lift_high", "association"), REAL),
        **dict.fromkeys(("relation", "evidence"), TEXT),
    },
)
BUNDLES = of_results(
    "bundles",
    ("bundle_id",),
    {
        "bundle_id": TEXT,
        "customer_id": TEXT,
        "bundle_rank": INT,
        "policy": TEXT,
        "solver": TEXT,
        "candidate_set": TEXT,
        "candidates": INT,
        "bundle_size": INT,
        "objective": REAL,
        "upper_bound": REAL,
        "gap_pct": REAL,
        "status": TEXT,
        "joint_probability": REAL,
        "list_price_cents": INT,
        "bundle_price_cents": INT,
        "expected_revenue_cents": REAL,
        "margin_cents": INT,
        "expected_margin_cents": REAL,
        "margin_note": TEXT,
        "reason": TEXT,
        "fallback_reason": TEXT,
        "held_back_by": TEXT,
        "is_kept": FLAG,
        "lost_to": TEXTS,
        "discovery_products": INT,
    },
    "margin_cents expected_margin_cents margin_note reason fallback_reason held_back_by discovery_products",
)
BUNDLE_ITEMS = of_results(
    "bundle_items",
    ("bundle_id", "position"),
    {
        "bundle_id": TEXT,
        "position": INT,
        "product_id": TEXT,
        "preference": REAL,
        "list_price_cents": INT,
        "price_cents": INT,
        "sources": TEXTS,
    },
)
POLICY_METRICS = of_results(
    "policy_metrics",
    ("policy", "metric", "variant"),
    {
        "policy": TEXT,
        "metric": TEXT,
        "variant": TEXT,
        "value": REAL,
        "low": REAL,
        "high": REAL,
        "compared_with": TEXT,
        "difference": REAL,
        "difference_low": REAL,
        "difference_high": REAL,
        "customers": INT,
        "window_from": DAY,
        "window_to": DAY,
    },
    "compared_with difference difference_low difference_high",
)
CATALOGUE_GAPS = of_results(
    "catalogue_gaps",
    ("customer_id",),
    {"customer_id": TEXT, "objective": REAL, "catalogue_bound": REAL, "gap_pct": REAL, "catalogue_products": INT},
)
SHADOW_PRICES = of_results(
    "shadow_prices",
    ("product_id",),
    {
        "product_id": TEXT,
        **dict.fromkeys(("available_units", "capacity_units", "promised_units"), INT),
        **dict.fromkeys(("expected_units", "promised_share", "expected_share", "shadow_price"), REAL),
    },
)
CATALOGUE_BUNDLES = of_results(
    "catalogue_bundles",
    ("bundle_rank",),
    {
        "bundle_rank": INT,
        "product_ids": TEXTS,
        **dict.fromkeys(("bundle_size", "list_price_cents", "customers"), INT),
        **dict.fromkeys(("gain", "coverage", "upper_bound", "gap_pct"), REAL),
        "reason": TEXT,
    },
)
GIVEN_BUNDLE_RANKS = of_results(
    "given_bundle_ranks",
    ("customer_id", "given_bundle_id"),
    {
        "customer_id": TEXT,
        "given_bundle_id": TEXT,
        "bundle_rank": INT,
        **dict.fromkeys(("objective", "joint_probability"), REAL),
        "list_price_cents": INT,
        "unranked_reason": TEXT,
    },
    "bundle_rank objective joint_probability list_price_cents unranked_reason",
)
WHY_NOT = of_results(
    "why_not",
    ("customer_id", "product_key"),
    {
        "customer_id": TEXT,
        "product_key": TEXT,
        "product_ids": TEXTS,
        "verdict": TEXT,
        "bundle_rank": INT,
        "objective": REAL,
        "best_objective": REAL,
        "cost_of_forcing": REAL,
        "binding": TEXTS,
        "detail": TEXT,
    },
    "bundle_rank objective cost_of_forcing",
)
