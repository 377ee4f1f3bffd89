"""Where candidates and preference models meet: examples of the past, a fitted ranker, and its backtest."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from ml.candidates import CandidateParams, propose
from ml.errors import NotEnoughDataError
from ml.evaluation.compression import judge_compression
from ml.evaluation.metrics import by_customer
from ml.evaluation.splits import all_bought, customers_at, requests_between, training_cuts
from ml.influence import counted, ordinary
from ml.preference.compression import Compression, Shrinkable
from ml.preference.contract import Listener, Observer, PreferenceModel, tell
from ml.preference.examples import label
from ml.preference.ranker import Ranker, RankerParams
from ml.preference.sequence_params import SequenceParams
from ml.settings import HORIZON_DAYS, Settings
from ml.tables import BUNDLE_REACTIONS, EVENTS
from ml.warehouse import Warehouse


@dataclass(frozen=True)
class Shop:
    """What a model may know on a day: ``features.ftr_baskets`` and ``features.ftr_products`` of one as-of date."""

    baskets: pl.DataFrame
    products: pl.DataFrame

    @classmethod
    def of(
        cls,
        baskets: pl.DataFrame,
        products: pl.DataFrame,
        min_product_baskets: int,
        through: date | None = None,
        new: pl.Series | None = None,
    ) -> "Shop":
        """Return the shop of products that can stand in a bundle and have the evidence; others leave the baskets.

        No giant basket is evidence, nor one that :func:`ml.influence.counted` leaves out: a script makes nothing known.

        Parameters
        ----------
        new
            Products that stay without it, as :func:`newcomers` names them.
        through
            Last day whose baskets count as evidence, for backtests: a product that only became known later must
            not be in them. None: all.
        """
        lists = ["product_ids", "quantities", "paid_cents"]
        teaching = baskets.filter(~pl.col("is_giant"))
        if through is not None:
            teaching = teaching.filter(pl.col("basket_on") <= through)
        sold = counted(teaching).select("product_ids").explode("product_ids").group_by("product_ids").len("held")
        evident = sold.filter(pl.col("held") >= min_product_baskets)["product_ids"]
        named = pl.concat([evident, *([] if new is None else [new])])
        kept = products.filter(pl.col("is_bundleable"), pl.col("product_id").is_in(named.implode()))
        lines = baskets.select("basket_id", *lists).explode(lists)
        held = lines.join(kept.select(product_ids="product_id"), on="product_ids", how="semi", maintain_order="left")
        grouped = held.group_by("basket_id", maintain_order=True).agg(lists)
        return cls(baskets.drop(lists).join(grouped, on="basket_id", how="inner", maintain_order="left"), kept)


def newcomers(products: pl.DataFrame, as_of: date, settings: Settings) -> pl.Series:
    """Return the bundleable products that lack the evidence because they are new, the best sold of them.

    New are those launched within the window in which :mod:`ml.candidates` calls a product new; first sold within it,
    where no launch is known.

    Parameters
    ----------
    products
        Rows of ``features.ftr_products`` of the day.
    """
    first = as_of - timedelta(days=CandidateParams.window_days - 1)
    since = pl.coalesce("launched_on", "first_sold_on")
    found = products.filter(
        "is_bundleable", pl.col("baskets") < settings.min_product_baskets, since.is_between(first, as_of)
    )
    return found.sort("baskets", "product_id", descending=[True, False])["product_id"].head(settings.candidates.new)


def with_evidence(products: pl.DataFrame, as_of: date, settings: Settings) -> pl.DataFrame:
    """Return the products that can be offered on a day: those with the evidence, and the new ones."""
    new = newcomers(products, as_of, settings)
    is_evident = pl.col("baskets") >= settings.min_product_baskets
    return products.filter(is_evident | pl.col("product_id").is_in(new.implode()))


def fitted_ranker(
    shop: Shop, through: date, settings: Settings, seed: int, kind: type[Ranker] = Ranker
) -> tuple[Ranker, pl.DataFrame]:
    """Return a ranker that knows nothing after ``through``, and the examples it was fitted on.

    Raises
    ------
    NotEnoughDataError
        When no customer has a basket to learn from.
    """
    learned = examples(shop, through, settings)
    return kind(ranker_params(settings, seed)).fit(shop.baskets, shop.products, learned), learned


def ranker_params(settings: Settings, seed: int) -> RankerParams:
    """Return how the settings want the ranker to grow."""
    wanted = settings.preference
    return RankerParams(
        trees=wanted.trees,
        learning_rate=wanted.learning_rate,
        leaves=wanted.leaves,
        min_leaf_rows=wanted.min_leaf_rows,
        l2=wanted.l2,
        row_share=wanted.row_share,
        feature_share=wanted.feature_share,
        horizon=wanted.horizon,
        seed=seed,
        threads=settings.threads,
    )


def sequence_params(settings: Settings, seed: int) -> SequenceParams:
    """Return how large the settings want a sequence model, and how it is to learn."""
    return SequenceParams(**settings.sequence.model_dump(), seed=seed, threads=settings.threads)


def examples(shop: Shop, through: date, settings: Settings) -> pl.DataFrame:
    """Return labelled candidates of the training cuts on or before ``through``; the newest cut is the validation.

    A customer gives one target a cut, so ``target_baskets`` at most, whatever they buy; giant baskets are none, and
    customers whose influence is bounded give none.

    Raises
    ------
    NotEnoughDataError
        When there are none.
    """
    wanted, usual = settings.preference, ordinary(shop.baskets, through)
    frames = []
    for back, cut in enumerate(training_cuts(through, wanted.target_baskets, wanted.holdout_days)):
        last = cut + timedelta(days=wanted.holdout_days - 1)
        targets = targets_of(usual, cut, last, wanted.min_customer_baskets, settings)
        if targets.height:
            frames.append(asked(shop, targets, settings).with_columns(is_validation=pl.lit(back == 0)))
    if not frames:
        raise NotEnoughDataError(
            f"no customer has {wanted.min_customer_baskets} baskets before a target up to {through}"
        )
    return pl.concat(frames)


def asked(shop: Shop, targets: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the labelled candidates of target baskets (rows of :func:`ml.evaluation.splits.requests_between`)."""
    params = candidate_params(settings)
    return label(propose(shop.baskets, shop.products, targets.select("customer_id", "cut"), params), targets)


def candidate_params(settings: Settings) -> CandidateParams:
    """Return how many candidates the settings want of each source, in training as in the day's run."""
    wanted = settings.candidates
    return CandidateParams(
        popular=wanted.popular,
        co_purchased=wanted.co_purchased,
        new=wanted.new,
        evident_baskets=settings.min_product_baskets,
    )


def targets_of(baskets: pl.DataFrame, cut: date, last: date, least: int, settings: Settings) -> pl.DataFrame:
    """Return who is asked for on the morning of ``cut``, and the answers as the horizon of the settings wants them.

    Parameters
    ----------
    last
        Last day whose baskets may answer, for the next basket.
    least
        Baskets a customer must have before the cut.

    Returns
    -------
    ``customer_id``, ``cut``, ``product_ids``. The next basket is asked of those who come, what is bought within 28 days
    of everybody: nothing, where ``product_ids`` is empty.
    """
    if settings.preference.horizon == "next_basket":
        return requests_between(baskets, cut, last, least)
    return all_bought(baskets, customers_at(baskets, cut, max(1, least)), HORIZON_DAYS)


def told(model: PreferenceModel, warehouse: Warehouse, as_of: date) -> PreferenceModel:
    """Return the model; where it listens or observes, it has been told what it reads, which is not read for others."""
    day = {"as_of": as_of}
    events = warehouse.read(EVENTS, day) if isinstance(model, Listener) else None
    return tell(model, events, warehouse.read(BUNDLE_REACTIONS, day) if isinstance(model, Observer) else None)


def kept_small(
    model: PreferenceModel, baskets: pl.DataFrame, products: pl.DataFrame, learned: pl.DataFrame, seed: int
) -> PreferenceModel:
    """Return the model with weights of 8 bits where these lose next to nothing, else as it is; the model says which.

    Judged on the examples by which the model stopped early, once it is fitted on them; a ``refit`` of the small one is
    small again. Models that have no such form, and those without validation examples, come back as they are.
    """
    held = learned.filter("is_validation")
    if not isinstance(model, Shrinkable) or held.is_empty():
        return model
    small = model.in_int8()
    sizes = held.group_by("customer_id").agg(products=pl.col("is_bought").sum())
    scores = (held.with_columns(preference=pl.Series(one.score(baskets, products, held))) for one in (model, small))
    full, less = (by_customer(frame, sizes)["ndcg_10"].to_numpy() for frame in scores)
    verdict, share = judge_compression(full, less, seed), small.weight_bytes / model.weight_bytes
    kept = small if verdict.may_be_used else model
    kept.compression = Compression(
        verdict.may_be_used, verdict.reason, verdict.loss.value, verdict.loss.high, size_share=share
    )
    return kept


def scored(model: PreferenceModel, shop: Shop, candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the candidates with the model's ``preference``."""
    return candidates.with_columns(preference=pl.Series(model.score(shop.baskets, shop.products, candidates)))
