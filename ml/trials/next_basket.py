"""Which products does each customer's last basket hold? All products are ranked, from what was known before."""

import logging
from datetime import date

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
from ml.training import Shop, examples, fitted_ranker
from ml.trials.cuts import check_cut, earlier_cut
from ml.trials.outcome import BEST, Outcome, chosen
from ml.trials.ranking import intervals, ranked_catalogue
from ml.trials.shop import Files, baskets_of, products_of

log = logging.getLogger(__name__)
MODELS = {kind.removeprefix("global_"): kind for kind in (*KINDS, *DEEP)}
COUNTED = ("popularity", "personal_frequency", "personal_decayed", "item_cosine", "tifu_knn")
"""Among these the validation chooses, and the ranker where all requests share one cut: it proposes candidates anew for
each, which takes long for one a customer."""
KS = (10, 20)


def run(files: Files, cut: date | None, model: str, seed: int, settings: Settings) -> Outcome:
    """Rank the catalogue for each customer and hold it against the last basket.

    Parameters
    ----------
    cut
        Day from which on nothing is known to the models; the last basket of every customer who bought since is
        asked for. None: each customer's last basket, as of the morning of its day.
    model
        A name of ``MODELS``, or ``best``: the one with the highest NDCG@10 in a validation of the same form on what
        lies before.

    Raises
    ------
    DataError
        When a table is missing, the cut lies outside the data, or nobody has a basket to be judged by.
    """
    files.need("next_basket", "products", "orders", "order_items")
    baskets, products = baskets_of(files), products_of(files)
    targets = _targets(baskets, cut)
    validation: dict[str, float] = {}
    if model == BEST:
        past = _known(baskets, targets, cut)
        earlier = None if cut is None else earlier_cut(baskets, cut)
        asked = last_baskets(past, earlier)
        contenders = COUNTED if cut is None else (*COUNTED, Ranker.kind)
        for name in contenders if asked.height else ():
            try:
                _, table = _measured(name, past, products, asked, earlier, seed, settings)
            except DataError as error:
                # Less data than a ranker learns from are enough to count; whoever names the ranker is told.
                log.info("next_basket: %s is not compared: %s", name, error)
                continue
            validation[name] = float(table["ndcg_10"].mean())  # type: ignore[arg-type]
        model = chosen(validation, PersonalFrequency.kind)
    ranking, table = _measured(model, baskets, products, targets, cut, seed, settings)
    cold = targets.height - targets.join(_known(baskets, targets, cut), on="customer_id", how="semi").height
    return Outcome(
        model,
        ranking.rename({"customer_id": "question_id"}).drop("cut"),
        intervals(table, "customer_id", seed),
        {"customers": targets.height, "customers_without_past": cold, "products": products.height},
        validation,
    )


def _targets(baskets: pl.DataFrame, cut: date | None) -> pl.DataFrame:
    check_cut(baskets, cut)
    targets = last_baskets(baskets, cut)
    if targets.is_empty():
        raise DataError(
            "next_basket: nobody to judge: "
            + ("no customer is known by two baskets" if cut is None else f"no known customer bought since {cut}")
        )
    return targets


def _known(baskets: pl.DataFrame, targets: pl.DataFrame, cut: date | None) -> pl.DataFrame:
    """Return the baskets that models may be fitted on: none of those asked for, none since the cut."""
    if cut is not None:
        return baskets.filter(pl.col("basket_on") < cut)
    return baskets.join(targets, on="basket_id", how="anti", maintain_order="left")


def _measured(
    name: str,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    targets: pl.DataFrame,
    cut: date | None,
    seed: int,
    settings: Settings,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the ranking of one model, and each customer's metrics."""
    known = _known(baskets, targets, cut)
    model = _fitted(name, known, products, seed, settings)
    # A model may look at what other customers bought up to the morning of a request, never past the cut.
    seen = known if cut is not None else baskets
    ranking = ranked_catalogue(model, seen, products, targets)
    judged = label(ranking, targets).with_columns(preference=-pl.col("place"))
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    return ranking, by_customer(judged, sizes, KS)


def _fitted(name: str, known: pl.DataFrame, products: pl.DataFrame, seed: int, settings: Settings) -> PreferenceModel:
    kind = kind_of(MODELS[name])
    shop, through = Shop(known, products), known["basket_on"].max()
    wanted = settings.preference.model_copy(update={"min_customer_baskets": 2})
    smaller = settings.model_copy(update={"preference": wanted})
    if kind is Ranker:
        ranker, learned = fitted_ranker(shop, through, smaller, seed)  # type: ignore[arg-type]
        return ranker.refit(known, products, learned)
    if kind in (TwoTowerAdditive, DenseNetwork) or MODELS[name] in DEEP:
        return kind().fit(known, products, examples(shop, through, smaller))  # type: ignore[arg-type]
    return kind().fit(known, products, known)
