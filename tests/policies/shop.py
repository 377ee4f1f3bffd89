"""A small shelf that can be worked out in the head."""

import polars as pl

from ml.tables import PRODUCTS

PAIRS = pl.DataFrame(
    {
        "product_a": ["bread", "bread", "butter"],
        "product_b": ["butter", "jam", "jam"],
        "pair_baskets": [40, 10, 4],
        "expected_baskets": [10.0, 10.0, 1.0],
        "lift_high": [5.0, 1.8, 0.9],
        "association": [3.0, 1.0, 0.5],
    }
)


def products(**changes: list[object]) -> pl.DataFrame:
    """Return bread, butter, jam and tea as rows of ``features.ftr_products``; ``changes`` replace columns."""
    given: dict[str, list[object]] = {
        "product_id": ["bread", "butter", "jam", "tea"],
        "title": ["Bread", "Butter", "Jam", None],
        "category": ["bakery", "dairy", "spread", None],
        "price_cents": [300, 200, 400, 500],
        "is_bundleable": [True, True, True, True],
    }
    given |= changes
    rows = len(given["product_id"])
    nothing = {name: [None] * rows for name in PRODUCTS.columns if name not in given}
    return pl.DataFrame({**nothing, **given}, schema=dict(PRODUCTS.columns), strict=False)
