"""Which products does each customer's last basket hold? All products are ranked, from what was known before."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from ml.errors import DataError
from ml.evaluation.metrics import by_customer
from ml.evaluation.splits import last_baskets
from ml.preference.baselines import PersonalFrequency
from ml.preference.contract import PreferenceModel
from ml.preference.dense import DenseNetwork
from ml.preference.examples import label
from ml.preference.load import DEEP, KINDS, kind_of
from ml.preference.ranker import Ranker
from ml.preference.two_tower import TwoTowerAdditive
from ml.settings import Settings
from ml.training import Shop, examples, ranker_params
from ml.trials import rolling
from ml.trials.cuts import check_cut, days_of, earlier_cut
from ml.trials.outcome import BEST, Outcome, Wishes, chosen
from ml.trials.ranking import intervals, ranked_catalogue
from ml.trials.shop import Files, baskets_of, products_of

log = logging.getLogger(__name__)
MODELS = {kind.removeprefix("global_"): kind for kind in (*KINDS, *DEEP, rolling.KIND)}
COMPARED = ("popularity", "personal_frequency", "personal_decayed", "item_cosine", "tifu_knn", rolling.KIND)
"""Among these the validation chooses, and the ranker where all requests share one cut: without a cut it would be fitted
on what others bought later, and it proposes candidates anew for each day, which takes long for one a customer."""
KS = (10, 20)


def run(
    files: Files, cut: date | None, model: str, seed: int, settings: Settings, wishes: Wishes | None = None
) -> Outcome:
    """Rank the catalogue for every known customer, and hold it against the last basket where that is asked for.

    Parameters
    ----------
    cut
        Day from which on nothing is known to the models; asked for is the last basket of every customer who bought
        since, the others' is predicted all the same. None, or without times: each customer's last basket, as of the
        morning of its day.
    model
        A name of ``MODELS``, or ``best``: the one with the highest NDCG@10 in a validation of the same form on what
        lies before.

    Raises
    ------
    DataError
        When a table is missing, the cut leaves nothing before it, or no customer is known.
    """
    wishes = wishes or Wishes()
    files.need("next_basket", "products", "orders", "order_items")
    baskets, products = baskets_of(files), products_of(files)
    cut = cut if files.is_timed else None
    targets, others = _asked(baskets, cut)
    if targets.is_empty() and cut is None:
        # Nobody has a basket to be judged by: what comes after all of them is asked for.
        cut = others["cut"][0]
    validation: dict[str, float] = {}
    if model == BEST:
        validation = _compared(baskets, products, targets, cut, seed, settings)
        model = chosen(validation, PersonalFrequency.kind)
    requests = pl.concat([targets, others], how="diagonal").sort("customer_id")
    ranking = _ranking(model, baskets, products, requests, cut, seed, settings, wishes.places)
    table = _judged(ranking, targets)
    cold = requests.height - requests.join(_known(baskets, targets, cut), on="customer_id", how="semi").height
    return Outcome(
        model,
        ranking.rename({"customer_id": "question_id"}).drop("cut"),
        intervals(table, "customer_id", seed) if table.height else {},
        {
            "customers": requests.height,
            "judged": targets.height,
            "customers_without_past": cold,
            "products": products.height,
        },
        validation,
    )


def compare(
    files: Files, cut: date | None, models: Sequence[str], seed: int, settings: Settings
) -> tuple[str, dict[str, pl.DataFrame]]:
    """Return the model that the validation chose, and each customer's metrics by model, of it and of those named.

    As :func:`run` would find one by one, in the order of the same customers.
    """
    baskets, products = baskets_of(files), products_of(files)
    cut = cut if files.is_timed else None
    targets, _ = _asked(baskets, cut)
    best = chosen(_compared(baskets, products, targets, cut, seed, settings), PersonalFrequency.kind)
    return best, {
        name: _judged(_ranking(name, baskets, products, targets, cut, seed, settings, max(KS)), targets)
        for name in sorted({*models, best})
    }


def _asked(baskets: pl.DataFrame, cut: date | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the baskets that are asked for, and of the other known customers ``customer_id`` and ``cut`` alone."""
    check_cut(baskets, cut)
    known = baskets.filter(pl.col("customer_id").is_not_null())
    if known.is_empty():
        raise DataError("next_basket: nobody to predict for: no order that holds a product names its customer")
    targets = last_baskets(baskets, cut)
    if cut is None and targets.is_empty():
        cut = days_of(baskets)[1] + timedelta(days=1)
    on = pl.col("basket_on").max() if cut is None else pl.lit(cut)
    others = known.group_by("customer_id").agg(cut=on).join(targets, on="customer_id", how="anti")
    return targets, others.sort("customer_id")


def _compared(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    targets: pl.DataFrame,
    cut: date | None,
    seed: int,
    settings: Settings,
) -> dict[str, float]:
    """Return the NDCG@10 by contender, on an earlier question of the same form."""
    past = _known(baskets, targets, cut)
    if past["basket_on"].n_unique() < 2:
        return {}
    earlier = None if cut is None else earlier_cut(baskets, cut)
    asked = last_baskets(past, earlier)
    found: dict[str, float] = {}
    contenders = COMPARED if cut is None else (*COMPARED, Ranker.kind)
    for name in contenders if asked.height else ():
        try:
            ranking = _ranking(name, past, products, asked, earlier, seed, settings, max(KS))
        except DataError as error:
            # Less data than a ranker learns from are enough to count; whoever names the ranker is told.
            log.info("next_basket: %s is not compared: %s", name, error)
            continue
        found[name] = float(_judged(ranking, asked)["ndcg_10"].mean())  # type: ignore[arg-type]
    return found


def _known(baskets: pl.DataFrame, targets: pl.DataFrame, cut: date | None) -> pl.DataFrame:
    """Return the baskets that models may be fitted on: none of those asked for, none since the cut."""
    if cut is not None:
        return baskets.filter(pl.col("basket_on") < cut)
    return baskets.join(targets, on="basket_id", how="anti", maintain_order="left")


def _ranking(
    name: str,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    requests: pl.DataFrame,
    cut: date | None,
    seed: int,
    settings: Settings,
    places: int,
) -> pl.DataFrame:
    """Return the best places of each request; those with a ``basket_id`` are asked for."""
    known = _known(baskets, requests.drop_nulls("basket_id"), cut)
    # A model may look at what other customers bought up to the morning of a request, never past the cut.
    seen = known if cut is not None else baskets
    if name == rolling.KIND:
        return rolling.RollingTrees(seen, products).ranking(requests, seed, places)
    model = fitted(name, known, products, seed, settings)
    return ranked_catalogue(model, seen, products, requests, places)


def _judged(ranking: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Return each asked customer's metrics."""
    of_asked = ranking.join(targets, on=["customer_id", "cut"], how="semi", maintain_order="left")
    judged = label(of_asked, targets).with_columns(preference=-pl.col("place"))
    return by_customer(judged, targets.select("customer_id", products=pl.col("product_ids").list.len()), KS)


def fitted(name: str, known: pl.DataFrame, products: pl.DataFrame, seed: int, settings: Settings) -> PreferenceModel:
    """Return a named model that has learned from the baskets known.

    Raises
    ------
    DataError
        When they are fewer than it learns from.
    """
    kind = kind_of(MODELS[name])
    shop, through = Shop(known, products), known["basket_on"].max()
    wanted = settings.preference.model_copy(update={"min_customer_baskets": 2})
    smaller = settings.model_copy(update={"preference": wanted})
    if issubclass(kind, Ranker):
        learned = examples(shop, through, smaller)  # type: ignore[arg-type]
        return kind(ranker_params(smaller, seed)).fit(known, products, learned).refit(known, products, learned)
    if kind in (TwoTowerAdditive, DenseNetwork) or MODELS[name] in DEEP:
        return kind().fit(known, products, examples(shop, through, smaller))  # type: ignore[arg-type]
    return kind().fit(known, products, known)
