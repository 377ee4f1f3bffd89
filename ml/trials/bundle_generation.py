"""Which bundles lie in a session? Its products are parted into groups and held against those that people made."""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import polars as pl

from ml.association.baskets import Reals
from ml.association.content import LEVELS
from ml.association.grouping import Likeness, Linkage, grouped
from ml.evaluation.group_metrics import best_match
from ml.policies.named import POLICIES
from ml.preference.history import positions
from ml.settings import Settings
from ml.trials.outcome import BEST, Outcome, Wishes, chosen
from ml.trials.ranking import intervals
from ml.trials.session_policy import SessionPolicy
from ml.trials.sessions import Groups, Session, are_orders, of_part, sessions_of
from ml.trials.shop import Files, baskets_of, products_of

PLAIN = ("whole", "same_category")
"""What ``best`` compares the clustered ones with. ``described`` is a check of a data set, not of a method: where only
bundled products were given titles, keeping those that have one looks like skill."""
CLUSTERED: dict[str, Linkage] = {"components": "single", "agglomerative": "average"}
THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 41))
USUAL_THRESHOLD = 0.02
"""Where there is no session to choose it on; what the validation sessions of BundleRec electronics chose."""
CATEGORY_LEVELS = 2
METRICS = ("jaccard_recall", "jaccard_precision", "jaccard_f1")


def run(
    files: Files, cut: date | None, model: str, seed: int, settings: Settings, wishes: Wishes | None = None
) -> Outcome:
    """Part every session's products into bundles, and judge the sessions whose bundles are known.

    Parameters
    ----------
    cut
        Sessions since then are judged, those before serve to choose by. None, or where the folder says which part a
        session belongs to: as the folder says, else a fifth drawn by seed serves to choose by.
    model
        ``whole`` (the session is one bundle), ``described`` (its products with a title or a category),
        ``same_category``, ``components``, ``agglomerative``, ``best`` (of all these but ``described``, on the
        validation), or a policy of :mod:`ml.policies.named`: average linkage over what its objective says of pairs.

    Raises
    ------
    DataError
        When there are no products, or no session.
    """
    files.need("bundle_generation", "products")
    products, sessions = products_of(files), sessions_of(files, cut, seed)
    test, validation = of_part(sessions, "test"), of_part(sessions, "validation")
    methods = _Methods(files, products, cut)
    if model in POLICIES:
        wanted = wishes or Wishes()
        methods.policy = SessionPolicy(files, products, methods.known, sessions, model, cut, seed, settings, wanted)
    found: dict[str, float] = {}
    thresholds: dict[str, float] = dict.fromkeys((*CLUSTERED, *POLICIES), USUAL_THRESHOLD)
    if validation:
        for name in PLAIN if model == BEST else ():
            found[name] = _mean_f1(validation, lambda one, name=name: methods.part(name, one, 0.0))  # type: ignore[misc]
        for name in CLUSTERED if model == BEST else {model} & set(thresholds):
            tried = {t: _mean_f1(validation, lambda one, n=name, t=t: methods.part(n, one, t)) for t in THRESHOLDS}  # type: ignore[misc]
            thresholds[name] = max(tried, key=lambda t: (tried[t], -t))
            found[name] = tried[thresholds[name]]
    model = chosen(found, "components") if model == BEST else model
    threshold = thresholds.get(model, 0.0)
    made = {one.name: methods.part(model, one, threshold) for one in sessions}
    judged = [(one.name, *best_match(made[one.name], one.bundles)) for one in test]
    table = pl.DataFrame(judged, schema=["question_id", *METRICS], orient="row")
    predictions = pl.DataFrame(
        [
            (name, number, product)
            for name, groups in made.items()
            for number, group in enumerate(groups, start=1)
            for product in sorted(group)
        ],
        schema={"question_id": pl.String, "bundle_number": pl.Int32, "product_id": pl.String},
        orient="row",
    )
    counts = {"sessions": len(sessions), "judged": len(test), "validation_sessions": len(validation)}
    return Outcome(
        model,
        predictions,
        intervals(table, "question_id", seed) if judged else {},
        counts | {"products": products.height},
        found,
        {"threshold": threshold} if model in thresholds else {},
    )


class _Methods:
    """The ways to part a session, over one catalogue."""

    def __init__(self, files: Files, products: pl.DataFrame, cut: date | None) -> None:
        self._names = products["product_id"]
        baskets = pl.DataFrame(schema={"customer_id": pl.String, "product_ids": pl.List(pl.String)})
        # Where orders stand in for sessions, those that are asked for must not be learned from.
        is_parted = cut is not None and files.is_timed
        if files.has("orders", "order_items") and (is_parted or not are_orders(files)):
            bought = baskets_of(files)
            baskets = bought.filter(pl.col("basket_on") < cut) if is_parted else bought
        self.known = baskets
        self.policy: SessionPolicy | None = None
        self._tried: dict[str, Reals] = {}
        self._likeness = Likeness(baskets, products)
        path = pl.col("category_path").str.split(LEVELS).list.head(CATEGORY_LEVELS).list.join(LEVELS)
        self._category = dict(products.select("product_id", path).iter_rows())
        is_described = pl.col("title").is_not_null() | pl.col("category_path").is_not_null()
        self._described = set(products.filter(is_described)["product_id"])

    def part(self, method: str, session: Session, threshold: float) -> Groups:
        """Return the groups that a method makes of a session."""
        ids = session.product_ids
        if method in CLUSTERED or self.policy is not None:
            groups = grouped(self._among(session), threshold, CLUSTERED.get(method, "average"))
            return [frozenset(ids[k] for k in group) for group in groups]
        if method == "same_category":
            shelves: dict[str | None, set[str]] = {}
            for one in ids:
                shelves.setdefault(self._category[one], set()).add(one)
            shared = [frozenset(group) for name, group in shelves.items() if name is not None and len(group) > 1]
            return shared or [frozenset(ids)]
        kept = frozenset(ids) & self._described if method == "described" else frozenset(ids)
        return [kept or frozenset(ids)]

    def _among(self, session: Session) -> Reals:
        """Return the (n, n) likeness of the session's products; kept, as many thresholds are tried on it."""
        if session.name not in self._tried:
            codes = positions(pl.Series(session.product_ids), self._names)
            found = self._likeness.among(codes) if self.policy is None else self.policy.among(session)
            self._tried[session.name] = found
        return self._tried[session.name]


def _mean_f1(sessions: Sequence[Session], part: Callable[[Session], Groups]) -> float:
    return float(np.mean([best_match(part(one), one.bundles)[2] for one in sessions]))
