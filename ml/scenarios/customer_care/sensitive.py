"""What no card may speak of: products from which health, pregnancy, addiction, origin or the like could be inferred.

The shop keeps the list, ``dbt_project/seeds/sensitive_categories.csv``. A product on it stays out of interests, due
lists, bundles, talking points and alerts; when a customer comes at all is told from all visits, whatever was bought.
"""

import re

import polars as pl

LEVELS = ">"


def is_sensitive(products: pl.DataFrame, listed: pl.DataFrame) -> pl.Series:
    """Return (products,) whether the list names a product by a level of its category path or by its title.

    Parameters
    ----------
    products
        Rows of ``features.ftr_products``.
    listed
        ``match_value``: text without regard to upper and lower case, ``%`` stands for any text.
    """
    if listed.is_empty():
        return pl.Series([False] * products.height, dtype=pl.Boolean)
    pattern = "(?i)^(?:" + "|".join(_pattern(value) for value in listed["match_value"].unique().sort()) + ")$"
    path = pl.col("category_path").str.split(LEVELS).list.eval(pl.element().str.strip_chars().str.contains(pattern))
    named = [pl.col(name).str.contains(pattern).fill_null(False) for name in ("department", "category", "title")]
    return products.select(pl.any_horizontal(path.list.any().fill_null(False), *named)).to_series()


def _pattern(value: str) -> str:
    return ".*".join(re.escape(part) for part in value.strip().split("%"))
