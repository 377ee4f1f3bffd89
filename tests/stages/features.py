"""The features of a tiny shop, planted as dbt would leave them, and a place for models to be registered."""

from datetime import date, timedelta
from typing import Literal

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import polars as pl

from ml.settings import CandidateSettings, OptimizerSettings, PreferenceSettings, Settings, TrackingSettings
from ml.tables import (
    BASKETS,
    BUNDLE_REACTIONS,
    CUSTOMER_PRODUCTS,
    CUSTOMERS,
    EVENTS,
    FEEDBACK,
    GIVEN_BUNDLES,
    LEAD_TIMES,
    MARKET_SIGNALS,
    MERCH_RULES,
    PRODUCT_DAYS,
    PRODUCTS,
    PROMOTIONS,
    SENSITIVE_CATEGORIES,
    STOCK_OUTS,
    Table,
)

AS_OF = date(2017, 12, 3)
DAYS, CUSTOMERS_WITH_HISTORY, PRODUCT_COUNT = 150, 60, 24
COLD, POOR = "cold", "zed"
"""A customer without any purchase; and one who only ever bought one product."""

COMPLEMENTS = {"p00": "p01", "p02": "p03", "p04": "p05"}
"""Whoever buys the first buys the second four times out of five."""


def tiny(settings: Settings, uri: str) -> Settings:
    """Return settings small enough for a test."""
    return settings.model_copy(
        update={
            "min_product_baskets": 10,
            "tracking": TrackingSettings(uri=uri),
            "preference": PreferenceSettings(
                trees=15,
                learning_rate=0.1,
                min_leaf_rows=20,
                min_customer_baskets=4,
                gate_windows=2,
                # Favourites are bought at random here: nothing beats counting them but by chance.
                compared=("global_popularity", "two_tower_additive", "item_cosine"),
            ),
            "candidates": CandidateSettings(per_customer=20, popular=20, co_purchased=10),
            "optimizer": OptimizerSettings(catalogue_sample=6, bootstrap_draws=100),
        }
    )


def baskets(seed: int = 3) -> pl.DataFrame:
    """Return customer-days: everybody has eight favourites; complements come along; one guest order a day."""
    rng = np.random.default_rng(seed)
    names = [f"p{number:02d}" for number in range(PRODUCT_COUNT)]
    rows = []
    for number in range(CUSTOMERS_WITH_HISTORY):
        favourites = rng.choice(names, 8, replace=False)
        for day in np.sort(rng.choice(DAYS, 20, replace=False)):
            bought = {str(product) for product in favourites if rng.random() < 0.35}
            bought |= {other for one, other in COMPLEMENTS.items() if one in bought and rng.random() < 0.8}
            if bought:
                rows.append((f"c{number:02d}", int(day), sorted(bought)))
    rows += [(POOR, int(day), ["p23"]) for day in range(0, DAYS, 10)]
    rows += [(None, day, sorted(rng.choice(names, 3, replace=False).tolist())) for day in range(DAYS)]
    frame = pl.DataFrame(rows, schema=["customer_id", "day", "product_ids"], orient="row").with_columns(
        as_of=pl.lit(AS_OF),
        basket_on=pl.lit(AS_OF - timedelta(days=DAYS - 1)) + pl.duration(days=pl.col("day")),
        basket_products=pl.col("product_ids").list.len(),
        is_giant=pl.lit(False),
    )
    return frame.with_columns(
        basket_id=pl.format("{}:{}", pl.col("customer_id").fill_null("guest"), "day"),
        basket_number=pl.when(pl.col("customer_id").is_not_null()).then(
            pl.col("basket_on").rank("ordinal").over("customer_id")
        ),
        quantities=pl.col("product_ids").list.eval(pl.element().str.len_chars() * 0 + 1),
        paid_cents=pl.col("product_ids").list.eval(pl.element().str.len_chars() * 0 + 250),
    ).drop("day")


def products() -> pl.DataFrame:
    """Return 24 products in 12 categories; complements never share one, the last but one has no price."""
    numbers = range(PRODUCT_COUNT)
    return _filled(
        PRODUCTS,
        {
            "product_id": [f"p{n:02d}" for n in numbers],
            "title": [f"Product {n}" for n in numbers],
            "department": ["GROCERY"] * PRODUCT_COUNT,
            "category": [f"CATEGORY {n % 12}" for n in numbers],
            "category_path": [f"GROCERY > CATEGORY {n % 12}" for n in numbers],
            "price_cents": [None if n == PRODUCT_COUNT - 2 else 100 + 25 * n for n in numbers],
            "cost_cents": [50 + 10 * n if n < 6 else None for n in numbers],
            "is_bundleable": [True] * PRODUCT_COUNT,
            "baskets": [50] * PRODUCT_COUNT,
            "customers": [20] * PRODUCT_COUNT,
            "rating_count": [0] * PRODUCT_COUNT,
            "is_promoted": [False] * PRODUCT_COUNT,
        },
    )


def events(sold: pl.DataFrame) -> pl.DataFrame:
    """Return a view at nine o'clock of one product of every known customer's basket."""
    return sold.drop_nulls("customer_id").select(
        "as_of",
        "customer_id",
        event_id="basket_id",
        occurred_at=pl.col("basket_on").cast(pl.Datetime("us", "UTC")).dt.offset_by("9h"),
        occurred_on="basket_on",
        event_type=pl.lit("view"),
        product_id=pl.col("product_ids").list.first(),
    )


def product_days(sold: pl.DataFrame) -> pl.DataFrame:
    """Return the sales by product and day at the list price of :func:`products`; every tenth day a fifth off."""
    priced = products().select("product_id", price_cents=pl.col("price_cents").fill_null(250))
    is_promoted = (pl.col("sold_on") - AS_OF).dt.total_days() % 10 == 0
    units = sold.explode("product_ids").group_by("as_of", product_id="product_ids", sold_on="basket_on")
    whole, off = pl.col("units") * pl.col("price_cents"), pl.col("units") * (pl.col("price_cents") // 5)
    return (
        units.agg(units=pl.len().cast(pl.Int64))
        .join(priced, on="product_id")
        .with_columns(is_promoted=is_promoted)
        .with_columns(discount_cents=pl.when("is_promoted").then(off).otherwise(0))
        .with_columns(revenue_cents=whole - pl.col("discount_cents"))
        .sort("product_id", "sold_on")
    )


def plant(settings: Settings, owner_of: str = "transformer") -> None:
    """Create the feature tables the stages read, with the tiny shop in them."""
    sold = baskets()
    lines = sold.drop_nulls("customer_id").explode("product_ids")
    own = lines.group_by("customer_id", product_id="product_ids").agg(
        baskets=pl.len(), units=pl.len(), first_on=pl.col("basket_on").min(), last_on=pl.col("basket_on").max()
    )
    since = (pl.lit(AS_OF) - pl.col("last_on")).dt.total_days().cast(pl.Int32)
    known = {"days_since_last": since, "mean_gap_days": _mean_gap()}
    own = own.with_columns(as_of=pl.lit(AS_OF), basket_share=0.1, **known)
    day, paid = pl.col("basket_on"), pl.col("paid_cents").list.sum()
    spent = {"baskets": pl.len(), "first_on": day.min(), "last_on": day.max(), "mean_basket_cents": paid.mean()}
    people = sold.drop_nulls("customer_id").group_by("customer_id").agg(**spent).with_columns(**known)
    cold = pl.DataFrame({"customer_id": [COLD], "baskets": [0]}, schema_overrides={"baskets": people["baskets"].dtype})
    people = pl.concat([people, cold], how="diagonal")
    _create(settings, BASKETS, sold)
    _create(settings, PRODUCTS, products())
    _create(settings, CUSTOMER_PRODUCTS, _filled(CUSTOMER_PRODUCTS, own.to_dict(as_series=False)))
    _create(settings, CUSTOMERS, _filled(CUSTOMERS, people.to_dict(as_series=False)))
    bundles = {"breakfast": ["p00", "p01"], "rest": ["p20", "p21", "p23"], "unpriced": ["p00", "p22"]}
    sizes = [len(own) for own in bundles.values()]
    given = {"given_bundle_id": [*bundles], "product_ids": [*bundles.values()], "bundle_size": sizes}
    _create(settings, GIVEN_BUNDLES, _filled(GIVEN_BUNDLES, given))
    _create(settings, EVENTS, events(sold))
    _create(settings, FEEDBACK, FEEDBACK.frame([]))
    _create(settings, BUNDLE_REACTIONS, BUNDLE_REACTIONS.frame([]))
    _create(settings, PRODUCT_DAYS, product_days(sold))
    _create(settings, MERCH_RULES, MERCH_RULES.frame([]))
    sensitive = pl.DataFrame({"match_value": ["category 7", "%unmentionable%"], "reason": ["private"] * 2})
    _create(settings, SENSITIVE_CATEGORIES, sensitive)
    _create(settings, LEAD_TIMES, _filled(LEAD_TIMES, {"product_id": ["p00", "p01"], "lead_days": [3, 6]}))
    _create(settings, MARKET_SIGNALS, MARKET_SIGNALS.frame([]))
    _create(settings, STOCK_OUTS, STOCK_OUTS.frame([]))
    _create(settings, PROMOTIONS, PROMOTIONS.frame([]))
    builds = pl.DataFrame({"as_of": [AS_OF], "dbt_invocation_id": ["0f3b"]})
    _ingest(settings, "ftr_builds", builds)


def _mean_gap() -> pl.Expr:
    span = (pl.col("last_on") - pl.col("first_on")).dt.total_days()
    return pl.when(pl.col("baskets") > 1).then(span / (pl.col("baskets") - 1))


def plant_earlier(settings: Settings, as_of: date) -> None:
    """Add the features of an earlier day to those planted: the baskets until then, and the same products."""
    for table, until in ((BASKETS, f"and basket_on <= date '{as_of}'"), (PRODUCTS, "")):
        own = ", ".join(name for name in table.columns if name != "as_of")
        _execute(settings, f"delete from {table.qualified} where as_of = date '{as_of}'")
        _execute(
            settings,
            f"insert into {table.qualified} (as_of, {own}) select date '{as_of}', {own} from {table.qualified} "
            f"where as_of = date '{AS_OF}' {until}",
        )
    _execute(settings, f"delete from features.ftr_builds where as_of = date '{as_of}'")
    _execute(settings, f"insert into features.ftr_builds (as_of, dbt_invocation_id) values (date '{as_of}', 'before')")


def launch(settings: Settings, product: str, like: str) -> None:
    """Put a product into the catalogue of the day that was launched two days before and nobody bought yet."""
    changed = {
        "product_id": f"'{product}'",
        "title": "'Novelty'",
        "launched_on": f"date '{AS_OF - timedelta(days=2)}'",
        "baskets": "0",
        "customers": "0",
    }
    columns = ", ".join(PRODUCTS.columns)
    values = ", ".join(changed.get(name, name) for name in PRODUCTS.columns)
    where = f"where product_id = '{like}' and as_of = date '{AS_OF}'"
    _execute(
        settings, f"insert into features.ftr_products ({columns}) select {values} from features.ftr_products {where}"
    )


def withdraw(settings: Settings, product: str) -> None:
    """Take a product out of the catalogue again."""
    _execute(settings, f"delete from features.ftr_products where product_id = '{product}'")


def build_again(settings: Settings, invocation_id: str, as_of: date = AS_OF) -> None:
    """Let the features be those that another run of dbt built, or of another day."""
    _execute(settings, f"update features.ftr_builds set as_of = '{as_of}', dbt_invocation_id = '{invocation_id}'")


def set_stock(settings: Settings, units: int | None) -> None:
    """Say how many units of each product there are on the day; None for no count."""
    value = "null" if units is None else f"{units:d}"
    _execute(settings, f"update features.ftr_products set available_units = {value}")


def rule(settings: Settings, *rules: dict[str, object]) -> None:
    """Let these be the merchandiser's rules, columns of ``features.ftr_merch_rules``; none takes them all away."""
    _execute(settings, "delete from features.ftr_merch_rules")
    whole = [{"rule_author": "mia", "rule_reason": "as planned", **one} for one in rules]
    frame = MERCH_RULES.frame([{**dict.fromkeys(MERCH_RULES.columns), **one} for one in whole])
    _ingest(settings, MERCH_RULES.name, frame, mode="append")


def feedback(settings: Settings, rows: pl.DataFrame) -> None:
    """Let this be the feedback of the day, columns of ``features.ftr_feedback``; what is not given is null."""
    _execute(settings, "delete from features.ftr_feedback")
    if rows.height:
        _ingest(settings, FEEDBACK.name, _filled(FEEDBACK, rows.to_dict(as_series=False)), mode="append")


def _execute(settings: Settings, statement: str) -> None:
    where = settings.warehouse
    address = f"host={where.host} port={where.port} dbname={where.database} user=bundles_transformer"
    with adbc.connect(f"{address} password='{where.password('transformer')}'") as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.commit()


def _filled(table: Table, given: dict[str, list[object]]) -> pl.DataFrame:
    rows = len(next(iter(given.values())))
    whole = {name: given.get(name, [AS_OF if name == "as_of" else None] * rows) for name in table.columns}
    return pl.DataFrame(whole, schema=dict(table.columns), strict=False)


def _create(settings: Settings, table: Table, frame: pl.DataFrame) -> None:
    _ingest(settings, table.name, table.conform(frame))


def _ingest(settings: Settings, name: str, frame: pl.DataFrame, mode: Literal["create", "append"] = "create") -> None:
    where = settings.warehouse
    address = f"host={where.host} port={where.port} dbname={where.database} user=bundles_transformer"
    with adbc.connect(f"{address} password='{where.password('transformer')}'") as connection:
        with connection.cursor() as cursor:
            cursor.adbc_ingest(name, frame.to_arrow(), mode=mode, db_schema_name="features")
            cursor.execute(f"grant select on features.{name} to bundles_ml, bundles_publisher")
        connection.commit()
