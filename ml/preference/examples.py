"""Candidates with their answer: the rows a model learns from."""

import polars as pl


def label(candidates: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Return ``candidates`` with ``is_bought``: whether the request's target basket holds the product.

    Parameters
    ----------
    candidates
        ``customer_id``, ``cut``, ``product_id`` and whatever else; order is kept.
    targets
        ``customer_id``, ``cut``, ``product_ids``: one row a request.
    """
    bought = (
        targets.select("customer_id", "cut", product_id="product_ids")
        .explode("product_id")
        .with_columns(is_bought=pl.lit(True))
    )
    return candidates.join(
        bought, on=["customer_id", "cut", "product_id"], how="left", maintain_order="left"
    ).with_columns(pl.col("is_bought").fill_null(False))
