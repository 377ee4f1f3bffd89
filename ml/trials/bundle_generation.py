"""Which bundles lie in a session? Its products are parted into groups and held against those that people made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.association.content import LEVELS
from ml.association.grouping import Likeness, Linkage, grouped
from ml.errors import DataError
from ml.evaluation.group_metrics import best_match
from ml.preference.history import positions
from ml.settings import Settings
from ml.trials.outcome import BEST, Outcome, chosen
from ml.trials.ranking import intervals
from ml.trials.shop import Files, baskets_of, products_of

Groups = list[frozenset[str]]
PLAIN = ("whole", "same_category")
"""What ``best`` compares the clustered ones with. ``described`` is a check of a data set, not of a method: where only
bundled products were given titles, keeping those that have one looks like skill."""
CLUSTERED: dict[str, Linkage] = {"components": "single", "agglomerative": "average"}
THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 41))
USUAL_THRESHOLD = 0.02
"""Where there is no session to choose it on; what the validation sessions of BundleRec electronics chose."""
VALIDATION_SHARE = 0.2
CATEGORY_LEVELS = 2


@dataclass(frozen=True)
class Session:
    """Products that were looked at together, and the bundles that people made of them."""

    name: str
    product_ids: tuple[str, ...]
    bundles: Groups


def run(files: Files, cut: date | None, model: str, seed: int, settings: Settings) -> Outcome:
    """Part each session's products into bundles.

    Parameters
    ----------
    cut
        Sessions since then are judged, those before serve to choose by. None, or where the folder says which part a
        session belongs to: as the folder says, else a fifth drawn by seed serves to choose by.
    model
        ``whole`` (the session is one bundle), ``described`` (its products with a title or a category),
        ``same_category``, ``components``, ``agglomerative`` or ``best`` (of all but ``described``, on the validation).

    Raises
    ------
    DataError
        When a table is missing, or there is no session with bundles to judge.
    """
    files.need("bundle_generation", "products", "events", "given_bundles", "session_bundles")
    products = products_of(files)
    test, validation = _sessions(files, cut, seed)
    if not test:
        raise DataError("bundle_generation: nobody to judge: no session with bundles and events in the test part")
    methods = _Methods(files, products, cut)
    found: dict[str, float] = {}
    thresholds: dict[str, float] = dict.fromkeys(CLUSTERED, USUAL_THRESHOLD)
    if validation:
        for name in PLAIN:
            found[name] = _mean_f1(validation, lambda one, name=name: methods.part(name, one, 0.0))  # type: ignore[misc]
        for name in CLUSTERED:
            tried = {t: _mean_f1(validation, lambda one, n=name, t=t: methods.part(n, one, t)) for t in THRESHOLDS}  # type: ignore[misc]
            thresholds[name] = max(tried, key=lambda t: (tried[t], -t))
            found[name] = tried[thresholds[name]]
    model = chosen(found, "components") if model == BEST else model
    threshold = thresholds.get(model, 0.0)
    made = [methods.part(model, one, threshold) for one in test]
    table = pl.DataFrame(
        [(one.name, *best_match(groups, one.bundles)) for one, groups in zip(test, made, strict=True)],
        schema=["question_id", "jaccard_recall", "jaccard_precision", "jaccard_f1"],
        orient="row",
    )
    predictions = pl.DataFrame(
        [
            (one.name, number, product)
            for one, groups in zip(test, made, strict=True)
            for number, group in enumerate(groups, start=1)
            for product in sorted(group)
        ],
        schema={"question_id": pl.String, "bundle_number": pl.Int32, "product_id": pl.String},
        orient="row",
    )
    return Outcome(
        model,
        predictions,
        intervals(table, "question_id", seed),
        {"sessions": len(test), "validation_sessions": len(validation), "products": products.height},
        found,
        {"threshold": threshold} if model in CLUSTERED else {},
    )


class _Methods:
    """The ways to part a session, over one catalogue."""

    def __init__(self, files: Files, products: pl.DataFrame, cut: date | None) -> None:
        self._names = products["product_id"]
        baskets = pl.DataFrame(schema={"customer_id": pl.String, "product_ids": pl.List(pl.String)})
        if "orders" in files.tables and "order_items" in files.tables:
            bought = baskets_of(files)
            baskets = bought if cut is None else bought.filter(pl.col("basket_on") < cut)
        self._likeness = Likeness(baskets, products)
        path = pl.col("category_path").str.split(LEVELS).list.head(CATEGORY_LEVELS).list.join(LEVELS)
        self._category = dict(products.select("product_id", path).iter_rows())
        is_described = pl.col("title").is_not_null() | pl.col("category_path").is_not_null()
        self._described = set(products.filter(is_described)["product_id"])

    def part(self, method: str, session: Session, threshold: float) -> Groups:
        """Return the groups that a method makes of a session."""
        ids = session.product_ids
        if method in CLUSTERED:
            likeness = self._likeness.among(positions(pl.Series(ids), self._names))
            return [frozenset(ids[k] for k in group) for group in grouped(likeness, threshold, CLUSTERED[method])]
        if method == "same_category":
            shelves: dict[str | None, set[str]] = {}
            for one in ids:
                shelves.setdefault(self._category[one], set()).add(one)
            groups = [frozenset(group) for name, group in shelves.items() if name is not None and len(group) > 1]
            return groups or [frozenset(ids)]
        kept = frozenset(ids) & self._described if method == "described" else frozenset(ids)
        return [kept or frozenset(ids)]


def _mean_f1(sessions: Sequence[Session], part: Callable[[Session], Groups]) -> float:
    return float(np.mean([best_match(part(one), one.bundles)[2] for one in sessions]))


def _sessions(files: Files, cut: date | None, seed: int) -> tuple[list[Session], list[Session]]:
    """Return the sessions that are judged, and those that serve to choose by; in the order of their names."""
    seen = files.tables["events"].drop_nulls(["session_id", "product_id"])
    seen = seen.join(files.tables["products"], on="product_id", how="semi")
    held = seen.select("session_id", "product_id").unique().sort("session_id", "product_id")
    bundles = files.tables["given_bundles"].sort("bundle_id", "product_id").group_by("bundle_id").agg("product_id")
    made = files.tables["session_bundles"].join(bundles, on="bundle_id").sort("session_id", "bundle_id")
    table = (
        held.group_by("session_id", maintain_order=True).agg(ids="product_id")
        .join(made.group_by("session_id").agg(pl.col("part").first(), bundles="product_id"), on="session_id")
        .sort("session_id")
    )  # fmt: skip
    if not (table["part"] == "validation").any():
        table = _parted(table, seen, cut, seed)
    parts: dict[str, list[Session]] = {"test": [], "validation": [], "train": []}
    for name, ids, part, groups in table.select("session_id", "ids", "part", "bundles").iter_rows():
        parts[part].append(Session(name, tuple(ids), [frozenset(group) for group in groups]))
    return parts["test"], parts["validation"]


def _parted(table: pl.DataFrame, seen: pl.DataFrame, cut: date | None, seed: int) -> pl.DataFrame:
    if cut is None:
        is_drawn = pl.Series(np.random.default_rng(seed).random(table.height) < VALIDATION_SHARE)
        is_asked = pl.col("part") == "test"
        return table.with_columns(part=pl.when(is_asked & is_drawn).then(pl.lit("validation")).otherwise("part"))
    began = seen.group_by("session_id").agg(on=pl.col("occurred_at").min().dt.date())
    if began["on"].null_count():
        raise DataError("bundle_generation: --cut needs occurred_at in all events of sessions")
    dated = table.join(began, on="session_id", maintain_order="left")
    return dated.with_columns(part=pl.when(pl.col("on") < cut).then(pl.lit("validation")).otherwise(pl.lit("test")))
