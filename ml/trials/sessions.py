"""Sessions: products that were looked at together, and the bundles that people made of them, where that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.errors import DataError
from ml.trials.shop import Files

Groups = list[frozenset[str]]
VALIDATION_SHARE = 0.2
SEEN: dict[str, pl.DataType | type[pl.DataType]] = {
    "session_id": pl.String,
    "product_id": pl.String,
    "customer_id": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True)
class Session:
    """A session to part into bundles.

    Attributes
    ----------
    name, product_ids
        Its products, ascending.
    bundles
        What people made of it; empty where nobody says so.
    customer
        Whose it is; None where nobody says.
    part
        ``test``: judged if its bundles are known; ``validation``: what is chosen by; ``train``: neither.
    """

    name: str
    product_ids: tuple[str, ...]
    bundles: Groups
    part: str
    customer: str | None = None


def sessions_of(files: Files, cut: date | None, seed: int) -> list[Session]:
    """Return all sessions, in the order of their names.

    Sessions are those of the events, or, in a folder without any, its completed orders. What people made of them stands
    in ``session_bundles``; without that table it is the given bundles that lie wholly in the session. Where no part
    is called ``validation``, sessions that began before the cut are, or, without a cut or without times, a fifth of
    those whose bundles are known, drawn by seed.

    Raises
    ------
    DataError
        When there is no session with a product of the catalogue.
    """
    seen = _seen(files).with_columns(on=files.day_of("occurred_at"))
    held = seen.select("session_id", "product_id").unique().sort("session_id", "product_id")
    if held.is_empty():
        raise DataError(
            "bundle_generation: no sessions: needs events with session_id and product_id, or orders with order_items"
        )
    whose = seen.drop_nulls("customer_id").sort("session_id", "customer_id").unique("session_id", keep="first")
    table = (
        held.group_by("session_id", maintain_order=True).agg(ids="product_id")
        .join(whose.select("session_id", "customer_id"), on="session_id", how="left", maintain_order="left")
        .join(_made(files, held), on="session_id", how="left", maintain_order="left")
        .with_columns(pl.col("part").fill_null("test"))
    )  # fmt: skip
    if not (table["part"] == "validation").any():
        table = _parted(table, seen, cut, seed)
    return [
        Session(name, tuple(ids), [frozenset(group) for group in groups or ()], part, customer)
        for name, ids, part, groups, customer in table.select(
            "session_id", "ids", "part", "bundles", "customer_id"
        ).iter_rows()
    ]


def are_orders(files: Files) -> bool:
    """Return whether orders stand in for sessions, as no event belongs to one."""
    events = files.tables.get("events")
    return events is None or events.drop_nulls(["session_id", "product_id"]).is_empty()


def _seen(files: Files) -> pl.DataFrame:
    """Return the columns of ``SEEN``, of products of the catalogue; ``occurred_at`` is null where unknown."""
    if not are_orders(files):
        seen = files.tables["events"].drop_nulls(["session_id", "product_id"])
    elif files.has("orders", "order_items"):
        lines = files.tables["order_items"].filter(pl.col("quantity").fill_null(1) > 0)
        orders = files.tables["orders"].filter(pl.col("status") == "completed")
        seen = lines.join(orders, on="order_id").rename({"order_id": "session_id", "ordered_at": "occurred_at"})
    else:
        seen = pl.DataFrame(schema=SEEN)
    return seen.select(*SEEN).join(files.tables["products"], on="product_id", how="semi")


def _made(files: Files, held: pl.DataFrame) -> pl.DataFrame:
    """Return ``session_id``, ``part``, ``bundles`` of the sessions of which bundles are known."""
    if not files.has("given_bundles"):
        return pl.DataFrame(schema={"session_id": pl.String, "part": pl.String, "bundles": pl.List(pl.List(pl.String))})
    bundles = files.tables["given_bundles"].sort("bundle_id", "product_id").group_by("bundle_id").agg("product_id")
    if files.has("session_bundles"):
        made = files.tables["session_bundles"].select("session_id", "bundle_id", "part")
    else:
        sizes = bundles.select("bundle_id", size=pl.col("product_id").list.len()).filter(pl.col("size") > 1)
        lines = files.tables["given_bundles"].join(sizes, on="bundle_id")
        met = held.join(lines, on="product_id").group_by("session_id", "bundle_id", "size").agg(held=pl.len())
        whole = met.filter(pl.col("held") == pl.col("size"))
        made = whole.select("session_id", "bundle_id", part=pl.lit("test"))
    joined = made.join(bundles, on="bundle_id").sort("session_id", "bundle_id")
    return joined.group_by("session_id", maintain_order=True).agg(pl.col("part").first(), bundles="product_id")


def _parted(table: pl.DataFrame, seen: pl.DataFrame, cut: date | None, seed: int) -> pl.DataFrame:
    is_asked = pl.col("part") == "test"
    if cut is not None and seen["occurred_at"].null_count() < seen.height:
        began = seen.group_by("session_id").agg(pl.col("on").min())
        table = table.join(began, on="session_id", how="left", maintain_order="left")
        is_chosen = pl.col("on").fill_null(cut) < cut
    else:
        known = np.flatnonzero(table["bundles"].is_not_null().to_numpy())
        drawn = np.zeros(table.height, bool)
        drawn[known[np.random.default_rng(seed).random(len(known)) < VALIDATION_SHARE]] = True
        is_chosen = pl.Series(drawn)  # type: ignore[assignment]
    return table.with_columns(part=pl.when(is_asked & is_chosen).then(pl.lit("validation")).otherwise("part"))


def of_part(sessions: Sequence[Session], part: str) -> list[Session]:
    """Return the sessions of a part whose bundles are known."""
    return [one for one in sessions if one.part == part and one.bundles]
