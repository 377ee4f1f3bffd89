"""The feature tables that Python reads: what dbt leaves for a day."""

from ml.tables.contract import (
    BIG,
    BIGS,
    DAY,
    DAYS,
    FLAG,
    INSTANT,
    INT,
    REAL,
    REALS,
    TEXT,
    TEXTS,
    VECTOR,
    Table,
    of_features,
)

BASKETS = of_features(
    "ftr_baskets",
    ("basket_id",),
    {
        **dict.fromkeys(("basket_id", "customer_id"), TEXT),
        "basket_on": DAY,
        "basket_number": INT,
        "product_ids": TEXTS,
        **dict.fromkeys(("quantities", "paid_cents"), BIGS),
        "basket_products": INT,
        "is_giant": FLAG,
    },
    "customer_id basket_number",
)
CUSTOMER_PRODUCTS = of_features(
    "ftr_customer_products",
    ("customer_id", "product_id"),
    {
        **dict.fromkeys(("customer_id", "product_id"), TEXT),
        "baskets": INT,
        "units": BIG,
        **dict.fromkeys(("first_on", "last_on"), DAY),
        "days_since_last": INT,
        **dict.fromkeys(("basket_share", "mean_gap_days"), REAL),
    },
    "mean_gap_days",
)
PRODUCTS = of_features(
    "ftr_products",
    ("product_id",),
    {
        **dict.fromkeys(("product_id", "title", "brand", "department", "category", "category_path"), TEXT),
        **dict.fromkeys(("price_cents", "cost_cents", "margin_cents", "available_units"), INT),
        "is_bundleable": FLAG,
        "exclusion_reason": TEXT,
        "baskets": INT,
        "customers": INT,
        "first_sold_on": DAY,
        "last_sold_on": DAY,
        "launched_on": DAY,
        "rating_mean": REAL,
        "rating_count": INT,
        "is_promoted": FLAG,
        "trend_ratio": REAL,
        "promotion_kinds": TEXTS,
        **dict.fromkeys(("promotion_starts_on", "promotion_ends_on", "reviewed_on"), DAYS),
        "promotion_sizes": REALS,
        **dict.fromkeys(("review_counts", "review_stars"), BIGS),
        **dict.fromkeys(("image_vector", "text_vector", "audio_vector"), VECTOR),
    },
    "title brand department category category_path price_cents cost_cents margin_cents available_units "
    "exclusion_reason first_sold_on last_sold_on launched_on rating_mean trend_ratio promotion_kinds "
    "promotion_starts_on promotion_ends_on promotion_sizes reviewed_on review_counts review_stars "
    "image_vector text_vector audio_vector",
)
PRODUCT_FACTS = tuple(name for name, kind in PRODUCTS.columns.items() if kind != VECTOR)
"""All but the vectors, which are most of the bytes and read by the training of the association alone."""
CUSTOMERS = of_features(
    "ftr_customers",
    ("customer_id",),
    {
        "customer_id": TEXT,
        "baskets": INT,
        **dict.fromkeys(("first_on", "last_on"), DAY),
        "days_since_last": INT,
        **dict.fromkeys(("mean_gap_days", "mean_basket_products", "mean_basket_cents"), REAL),
        **dict.fromkeys(("age_band", "gender", "region", "income_band"), TEXT),
    },
    "first_on last_on days_since_last mean_gap_days mean_basket_products mean_basket_cents age_band gender region "
    "income_band",
)

EVENTS = of_features(
    "ftr_events",
    ("event_id",),
    {
        **dict.fromkeys(("event_id", "customer_id"), TEXT),
        "occurred_at": INSTANT,
        "occurred_on": DAY,
        "event_type": TEXT,
        "product_id": TEXT,
    },
    "product_id",
)
FEEDBACK = of_features(
    "ftr_feedback",
    ("feedback_id",),
    {
        **dict.fromkeys(("feedback_id", "customer_id", "bundle_id", "kind"), TEXT),
        "occurred_on": DAY,
        "policy": TEXT,
        "propensity": REAL,
        **dict.fromkeys(("variant", "order_id"), TEXT),
    },
    "policy propensity variant order_id",
)
BUNDLE_REACTIONS = of_features(
    "ftr_bundle_reactions",
    ("customer_id", "product_id"),
    {
        **dict.fromkeys(("customer_id", "product_id"), TEXT),
        "reacted_on": DAYS,
        **dict.fromkeys(("day_impressions", "day_clicks"), BIGS),
    },
)
GIVEN_BUNDLES = of_features(
    "ftr_given_bundles",
    ("given_bundle_id",),
    {"given_bundle_id": TEXT, "product_ids": TEXTS, "bundle_size": INT},
)
PRODUCT_DAYS = of_features(
    "ftr_product_days",
    ("product_id", "sold_on"),
    {
        "product_id": TEXT,
        "sold_on": DAY,
        **dict.fromkeys(("units", "revenue_cents", "discount_cents"), BIG),
        "price_cents": INT,
        "is_promoted": FLAG,
    },
)
MERCH_RULES = Table(
    "features",
    "ftr_merch_rules",
    {
        **dict.fromkeys(("rule_id", "product_id", "rule_kind", "category", "scenario"), TEXT),
        **dict.fromkeys(("rule_author", "rule_reason"), TEXT),
        "floor_cents": INT,
        **dict.fromkeys(("starts_on", "ends_on"), DAY),
    },
    ("rule_id",),
    frozenset(("product_id", "category", "scenario", "floor_cents", "starts_on", "ends_on")),
)
"""A view of the rules as they stand now, without a day of its own."""
LEAD_TIMES = of_features(
    "ftr_lead_times", ("product_id",), {"product_id": TEXT, "lead_days": INT, "supplier": TEXT}, "supplier"
)
MARKET_SIGNALS = of_features(
    "ftr_market_signals",
    ("signal_id",),
    {
        **dict.fromkeys(("signal_id", "kind", "category", "product_id"), TEXT),
        "signal_on": DAY,
        "signal_value": REAL,
    },
    "category product_id",
)
STOCK_OUTS = of_features(
    "ftr_stock_outs",
    ("product_id", "out_from_on"),
    {"product_id": TEXT, **dict.fromkeys(("out_from_on", "out_through_on"), DAY)},
)
PROMOTIONS = Table(
    "features",
    "ftr_promotions",
    {
        **dict.fromkeys(("promotion_id", "product_id", "kind"), TEXT),
        "discount_share": REAL,
        "store_count": INT,
        **dict.fromkeys(("starts_on", "ends_on"), DAY),
    },
    ("promotion_id",),
    frozenset(("discount_share", "store_count")),
)
"""A view of the promotions as they stand now, those announced for later among them; without a day of its own."""
SENSITIVE_CATEGORIES = Table(
    "features", "ftr_sensitive_categories", {"match_value": TEXT, "reason": TEXT}, ("match_value",)
)
"""A view of the list of what no customer's card may speak of as it stands now, without a day of its own."""
