"""Small situations for a promotion: products with what they answer to a discount, and rules."""

from datetime import date
from typing import Any

import polars as pl

from ml.params import RunParams
from ml.scenarios.rules import Rule, Rules

AS_OF = date(2024, 3, 31)


def params(**given: Any) -> RunParams:
    return RunParams(**{"scenario": "cross_category", "min_margin_share": 0.0, **given})


def response(product: str, **given: Any) -> dict[str, Any]:
    """Return a row as ``responses`` gives: 100 units at 10.00, cost 2.00, elasticity -3, nothing beside."""
    usual = {
        "product_id": product,
        "name": product,
        "category": product.upper(),
        "department": "FOOD",
        "category_path": f"FOOD > {product.upper()}",
        "price_cents": 1000,
        "cost": 200.0,
        "is_cost_assumed": False,
        "available_units": None,
        "units_per_basket": 1.0,
        "base_units": 100.0,
        "signal_ratio": 1.0,
        "elasticity": -3.0,
        "low": -4.0,
        "high": -2.0,
        "level": "product",
        "taken_cents": 0.0,
        "pulled_cents": 0.0,
        "halo_cents": 0.0,
    }
    whole = {**usual, **given}
    return {**whole, "group": whole["category"] or product}


def known(*rows: dict[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    return frame.with_columns(pl.col("available_units").cast(pl.Int32)).sort("product_id")


def rule(kind: str, *products: str, floor: int | None = None, name: str | None = None) -> Rule:
    return Rule(name or f"{kind} {products[0]}", kind, "mia", "why", products[0], None, floor, products)


def rules(*given: Rule) -> Rules:
    return Rules(tuple(given))
