"""What customers do besides buying, as lines that stand between their visits."""

import polars as pl

from ml.errors import ColumnError, DataError

ACTIONS = ("purchase", "cart", "search", "view")
"""The kinds of tokens by number; a purchase is a visit, known from the baskets and not from events."""
BASKET = 0


def lines_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return events as lines of tokens: consecutive events of one kind, customer and day are one run.

    Parameters
    ----------
    events
        ``customer_id``, ``event_type`` (one of :data:`ACTIONS`), ``product_id`` (null where it is about none), and
        ``occurred_at`` or ``occurred_on``; of the same day and without instants they stand in order of kind.
        Events without a customer are left out, and purchases but for the first of a customer's day.

    Returns
    -------
    ``customer_id``, ``occurred_on``, ``product_id``, ``action`` (position in ACTIONS), ``run`` (from 1, rising in
    time). A purchase is a run of its own without a product: it says where the day's visit stands, not what was bought.

    Raises
    ------
    ColumnError
        When a column is missing.
    DataError
        When an event type is unknown.
    """
    has_instants = "occurred_at" in events.columns
    needed = ["customer_id", "event_type", "product_id", *([] if has_instants else ["occurred_on"])]
    missing = [name for name in needed if name not in events.columns]
    if missing:
        raise ColumnError(f"events: missing {', '.join(missing)}")
    strange = set(events["event_type"].unique().to_list()) - set(ACTIONS)
    if strange:
        raise DataError(
            f"events: unknown event_type {', '.join(sorted(map(str, strange)))}; known are {', '.join(ACTIONS)}"
        )
    day = pl.col("occurred_on") if "occurred_on" in events.columns else pl.col("occurred_at").dt.date()
    numbers = {name: number for number, name in enumerate(ACTIONS)}
    run_of = ("customer_id", "occurred_on", "action")
    is_purchase = pl.col("action") == BASKET
    return (
        events.filter(pl.col("customer_id").is_not_null())
        .with_columns(occurred_on=day, action=pl.col("event_type").replace_strict(numbers, return_dtype=pl.Int64))
        .sort("customer_id", "occurred_on", *(["occurred_at"] if has_instants else []), "action", "product_id")
        .filter(~is_purchase | pl.struct(run_of).is_first_distinct())
        .with_columns(product_id=pl.when(~is_purchase).then("product_id"))
        .with_columns(run=pl.struct(run_of).rle_id().cast(pl.Int64) + 1)
        .select("customer_id", "occurred_on", "product_id", "action", "run")
    )
