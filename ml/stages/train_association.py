"""Count pairs when it is due, compare on held-out baskets, register the association model behind a gate."""

import logging
import tempfile
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence, load_cooccurrence
from ml.association.counting import count_pairs
from ml.association.substitutes import SubstituteParams, tell_apart
from ml.errors import DataError
from ml.evaluation.association_gate import judge_association
from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.pair_metrics import Reading, measure, sample_pairs
from ml.evaluation.plots import shares
from ml.influence import influence, summary
from ml.params import Context, Counts
from ml.settings import Settings
from ml.tables import BASKETS, PRODUCTS
from ml.tracking import Tracking
from ml.training import Shop
from ml.versions import Version
from ml.warehouse import Warehouse

OURS, COMMISSIONED, CHAMPION = "lift", "scaled_cosine", "champion"
log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Confirm the champion where it is not due; else backtest, count everything up to the as-of date, register.

    Raises
    ------
    DataError
        When no pair has enough evidence.
    TemporaryError
        When MLflow does not take the registration.
    """
    tracking = Tracking(settings)
    champion = tracking.find_champion("association", context.as_of)
    if champion and not context.params.retrain:
        age_days = (context.as_of - champion.data_cut_off).days
        if age_days < settings.preference.retrain_after_days:
            return {"confirmed_version": champion.number, "age_days": age_days}
    warehouse = Warehouse(settings, "ml")
    day = {"as_of": context.as_of}
    baskets, products = warehouse.read(BASKETS, day), warehouse.read(PRODUCTS, day)
    through = context.as_of - timedelta(days=settings.preference.holdout_days)
    past = Shop.of(baskets, products, settings.min_product_baskets, through)
    params = CooccurrenceParams(settings.association.shrinkage, settings.association.min_pair_baskets)
    backtest = _counted(past.baskets.filter(pl.col("basket_on") <= through), params)
    held_out = index_baskets(past.baskets.filter(pl.col("basket_on") > through), backtest.product_ids)
    readings = _readings(backtest, past.products, tracking, champion, through)
    tags = {
        "as_of": context.as_of,
        "data_cut_off": context.as_of,
        "git_commit": settings.git_commit,
        "dbt_invocation_id": warehouse.dbt_invocation(context.as_of),
        "seed": context.params.seed,
    }
    metrics, recalls = _compare(readings, backtest, held_out, context.params.seed)
    for name in [name for name in readings if name != OURS]:
        with tracking.run("association", f"{name} {context.as_of}", {**tags, "model": name}) as theirs:
            theirs.metrics(metrics[name])
    with tracking.run("association", f"{OURS} {context.as_of}", {**tags, "model": OURS}) as ours:
        gains = {
            rival: paired_bootstrap(recalls[OURS], recalls[rival], settings.optimizer.bootstrap_draws)
            for rival in (COMMISSIONED, CHAMPION)
            if rival in recalls
        }
        whole = Shop.of(baskets, products, settings.min_product_baskets)
        model = _counted(whole.baskets, params)
        relations = tell_apart(whole.baskets, whole.products, SubstituteParams(shrinkage=params.shrinkage))
        beside = {name: metrics[name].get("completion_recall_10", 0.0) for name in ("population_lift", "cosine")}
        passed, reason = judge_association(gains, len(model.first), beside)
        evidence = {"pairs": len(model.first), "products": len(model.product_ids), "baskets": model.baskets_total}
        evidence |= relations.numbers() | {"outweighed_pairs": model.outweighed_pairs} | summary(whole.baskets)
        ours.params({**asdict(params), "holdout_days": settings.preference.holdout_days})
        ours.metrics({**metrics[OURS], **evidence})
        ours.text(influence(whole.baskets).write_csv(), "influence.csv")
        for metric in ("pair_auc", "completion_recall_10"):
            compared = {name: values[metric] for name, values in metrics.items() if metric in values}
            ours.figure(shares(compared, metric), f"plots/{metric}.png")
        ours.text(reason, "gate.txt")
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (model.dump() | relations.dump()).items():
                (Path(folder) / name).write_bytes(content)
            version = tracking.register("association", Path(folder), ours, tags)
    is_champion = tracking.judge(version, passed, reason)
    log.info("association %d: %s", version.number, reason)
    return {"version": version.number, "is_champion": str(is_champion).lower(), **evidence, **_shown(metrics[OURS])}


def _counted(baskets: pl.DataFrame, params: CooccurrenceParams) -> Cooccurrence:
    model = fit_cooccurrence(index_baskets(baskets), params)
    if not len(model.first):
        raise DataError(
            f"not_enough_data: among {model.baskets_total} baskets no pair lies in {params.min_pair_baskets} of them"
        )
    return model


def _readings(
    backtest: Cooccurrence, products: pl.DataFrame, tracking: Tracking, champion: Version | None, through: date
) -> dict[str, Reading]:
    """Return what is compared, over the products of the backtest: the same counts read otherwise, and rivals."""
    catalogue = pl.DataFrame({"product_id": backtest.product_ids}).join(
        products, on="product_id", how="left", maintain_order="left"
    )
    readings: dict[str, Reading] = {
        OURS: backtest.matrix("lift"),
        "population_lift": backtest.matrix("population_lift"),
        "cosine": backtest.matrix("cosine"),
        COMMISSIONED: AttributeCosine(attribute_vectors(catalogue)),
    }
    if champion and champion.data_cut_off <= through:  # a younger one has seen the held-out baskets
        loaded = tracking.load(champion)
        files = {path.name: path.read_bytes() for path in loaded.folder.iterdir()}
        readings[CHAMPION] = load_cooccurrence(files).matrix("lift", backtest.product_ids)
    return readings


def _compare(
    readings: dict[str, Reading], backtest: Cooccurrence, held_out: IndexedBaskets, seed: int
) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """Return the metrics of each reading that could be measured, and its completion recall by customer."""
    first, second, pair_baskets, _ = count_pairs(held_out, 1)
    sample = sample_pairs(first, second, pair_baskets, backtest.product_baskets, seed)
    found = {
        name: measure(reading, sample, held_out.starts, held_out.items, held_out.customers, seed)
        for name, reading in readings.items()
    }
    metrics = {name: measured for name, (measured, _) in found.items()}
    return metrics, {name: recall for name, (_, recall) in found.items()}


def _shown(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}
