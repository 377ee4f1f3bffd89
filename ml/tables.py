"""The tables Python reads and writes, as contracts: columns, types, key.

A frame that differs from its table is refused before anything is written. The same columns stand in
``database/migrations`` (raw, ml) and in dbt (features).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ml.errors import ColumnError

TEXT, INT, BIG, REAL, DAY, FLAG = pl.String, pl.Int32, pl.Int64, pl.Float64, pl.Date, pl.Boolean
INSTANT = pl.Datetime("us", "UTC")
TEXTS, BIGS, REALS, DAYS, VECTOR = (pl.List(kind) for kind in (pl.String, pl.Int64, pl.Float64, pl.Date, pl.Float32))
DataType = pl.DataType | type[pl.DataType]


@dataclass(frozen=True)
class Table:
    """One table: where it lies, its columns with types, the columns that identify a row, those that may be null."""

    schema: str
    name: str
    columns: Mapping[str, DataType]
    key: tuple[str, ...]
    optional: frozenset[str] = frozenset()

    @property
    def qualified(self) -> str:
        """Return ``schema.name``."""
        return f"{self.schema}.{self.name}"

    def frame(self, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
        """Return rows of a run, still without it, typed as the table's columns."""
        return pl.DataFrame(rows, schema={name: kind for name, kind in self.columns.items() if name != "run_id"})

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with the table's columns in order and cast to its types.

        Raises
        ------
        ColumnError
            When a column is missing or unknown, a value does not fit its type, a required value is null, a
            number is not finite, or a key stands twice.
        """
        wrong = sorted(set(frame.columns) ^ set(self.columns))
        if wrong:
            raise ColumnError(f"{self.qualified}: columns differ from the contract: {', '.join(wrong)}")
        try:
            frame = frame.select([pl.col(name).cast(kind) for name, kind in self.columns.items()])
        except pl.exceptions.PolarsError as error:
            raise ColumnError(f"{self.qualified}: {error}") from error
        for name, kind in self.columns.items():
            if name not in self.optional and frame[name].null_count():
                raise ColumnError(f"{self.qualified}.{name}: {frame[name].null_count()} null values, none allowed")
            if kind == REAL and not frame[name].drop_nulls().is_finite().all():
                raise ColumnError(f"{self.qualified}.{name}: NaN or infinite values")
        if frame.select(self.key).is_duplicated().any():
            raise ColumnError(f"{self.qualified}: the key ({', '.join(self.key)}) is not unique")
        return frame


def _features(name: str, key: tuple[str, ...], columns: Mapping[str, DataType], optional: str = "") -> Table:
    return Table("features", name, {"as_of": DAY, **columns}, ("as_of", *key), frozenset(optional.split()))


def _results(name: str, key: tuple[str, ...], columns: Mapping[str, DataType], optional: str = "") -> Table:
    return Table("ml", name, {"run_id": BIG, **columns}, ("run_id", *key), frozenset(optional.split()))


BASKETS = _features(
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
CUSTOMER_PRODUCTS = _features(
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
PRODUCTS = _features(
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
CUSTOMERS = _features(
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

EVENTS = _features(
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
GIVEN_BUNDLES = _features(
    "ftr_given_bundles",
    ("given_bundle_id",),
    {"given_bundle_id": TEXT, "product_ids": TEXTS, "bundle_size": INT},
)

_SCORED: dict[str, DataType] = {"customer_id": TEXT, "product_id": TEXT, "preference": REAL, "sources": TEXTS}
CANDIDATES = _results(
    "candidates", ("customer_id", "product_id"), {**_SCORED, "candidate_rank": INT, "basket_spread": REAL}
)
GIVEN_CANDIDATES = _results("given_candidates", ("customer_id", "product_id"), _SCORED)
ASSOCIATIONS = _results(
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
BUNDLES = _results(
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
    },
    "margin_cents expected_margin_cents margin_note reason fallback_reason held_back_by",
)
BUNDLE_ITEMS = _results(
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
POLICY_METRICS = _results(
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
CATALOGUE_GAPS = _results(
    "catalogue_gaps",
    ("customer_id",),
    {"customer_id": TEXT, "objective": REAL, "catalogue_bound": REAL, "gap_pct": REAL, "catalogue_products": INT},
)
SHADOW_PRICES = _results(
    "shadow_prices",
    ("product_id",),
    {
        "product_id": TEXT,
        **dict.fromkeys(("available_units", "capacity_units", "promised_units"), INT),
        **dict.fromkeys(("expected_units", "promised_share", "expected_share", "shadow_price"), REAL),
    },
)
CATALOGUE_BUNDLES = _results(
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
GIVEN_BUNDLE_RANKS = _results(
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
WHY_NOT = _results(
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
