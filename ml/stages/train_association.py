"""Count pairs when it is due, compare on held-out baskets, register the association model behind a gate."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import polars as pl

from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams
from ml.association.readings import other_readings
from ml.association.substitutes import Relations, SubstituteParams, tell_apart
from ml.contest.counts import OURS, PairWindow, counted, pair_rivalry, pair_windows
from ml.contest.plan import windows_older
from ml.datasets import Dataset
from ml.evaluation.association_gate import judge_association
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.evaluation.cards import Card
from ml.evaluation.pair_metrics import Reading
from ml.evaluation.plots import differences, shares
from ml.influence import influence, summary
from ml.params import Context, Counts
from ml.publishing.promotion import Decision, Kind, Promotions
from ml.settings import Settings
from ml.tables import BASKETS, PRODUCTS
from ml.tracking import Run, Tracking
from ml.training import Shop
from ml.versions import Version
from ml.warehouse import Warehouse

MODEL, COMMISSIONED = "association", "scaled_cosine"
ABOUT = "How many times as often as by chance two products lie in one basket, within customers, with its evidence."
LIMITS = (
    "A pair is known from a few shared baskets on; products that are new or rare have none.",
    "It is symmetric, and says nothing about which of two products calls for the other.",
    "The registered counts are of all data and are themselves not measured: their recipe is.",
)


def run(settings: Settings, context: Context) -> Counts:
    """Confirm the champion where it is not due; else compare, count everything up to the as-of date, register.

    Raises
    ------
    DataError
        When no pair has enough evidence.
    TemporaryError
        When MLflow does not take the registration.
    """
    tracking, promotions = Tracking(settings), Promotions(settings, context, MODEL)
    promotions.notice_moves()
    champion = tracking.find_champion(MODEL, context.as_of)
    every_days = settings.preference.retrain_after_days
    if champion and not context.params.retrain and not promotions.is_due(champion, every_days):
        return {"confirmed_version": champion.number, "age_days": (context.as_of - champion.data_cut_off).days}
    warehouse, as_of, seed = Warehouse(settings, "ml"), context.as_of, context.params.seed
    baskets, products = (warehouse.read(table, {"as_of": as_of}) for table in (BASKETS, PRODUCTS))
    datasets = (Dataset.of(BASKETS.qualified, baskets, as_of), Dataset.of(PRODUCTS.qualified, products, as_of))
    params = CooccurrenceParams(settings.association.shrinkage, settings.association.min_pair_baskets)
    rival, kind, against = _rival(champion, params, context, settings)
    windows, notes = pair_windows(
        baskets,
        products,
        as_of,
        params,
        rival,
        partial(_readings, seed=seed, sentences=settings.association.sentences),
        settings,
        seed,
    )
    newest, draws = windows[-1], settings.optimizer.bootstrap_draws
    lineage = {
        "as_of": as_of,
        "data_cut_off": as_of,
        "git_commit": settings.git_commit,
        "dbt_invocation_id": warehouse.dbt_invocation(as_of),
        "seed": seed,
        "dataset_digest": "+".join(data.digest[:12] for data in datasets),
    }
    for name in (name for name in newest.metrics if name != OURS):
        tags = {**lineage, "model": name, "role": "baseline" if name == COMMISSIONED else "comparison"}
        with tracking.run(MODEL, f"{name} {as_of}", tags) as theirs:
            _log(theirs, datasets, newest, name, draws, seed)
    whole = Shop.of(baskets, products, settings.min_product_baskets)
    model = counted(whole.baskets, params)
    relations = tell_apart(whole.baskets, whole.products, SubstituteParams(shrinkage=params.shrinkage))
    evidence: dict[str, int | float] = {
        "pairs": len(model.first),
        "products": len(model.product_ids),
        "baskets": model.baskets_total,
    }
    evidence |= relations.numbers() | {"outweighed_pairs": model.outweighed_pairs} | summary(whole.baskets)
    beside = pair_rivalry(windows, against, draws, seed)
    gain = paired_bootstrap(newest.recalls[OURS], newest.recalls[COMMISSIONED], draws, seed)
    shown = {name: newest.metrics[name].get("completion_recall_10", 0.0) for name in ("population_lift", "cosine")}
    verdict = judge_association({COMMISSIONED: gain}, len(model.first), shown, beside, kind == "refresh")
    recipe = _recipe(params)
    tags = {**lineage, "model": OURS, "role": "challenger", "recipe": recipe}
    with tracking.run(MODEL, f"{OURS} {as_of}", tags) as ours:
        ours.params({**asdict(params), "holdout_days": settings.preference.holdout_days})
        _log(ours, datasets, newest, OURS, draws, seed)
        ours.metrics({**evidence, **(beside.metrics() if beside else {})})
        ours.text(verdict.reason, "gate.txt")
        facts = {"trained on data up to": as_of, "judged": f"baskets of the days after {newest.origin}",
                 "recipe": recipe, **evidence, **lineage}  # fmt: skip
        card = Card(MODEL, OURS, ABOUT, as_of, facts, _intervals(newest, draws, seed), pl.DataFrame(),
                    (*LIMITS, *notes), verdict.reason)  # fmt: skip
        ours.text(card.markdown(), "card.md")
        ours.text(influence(whole.baskets).write_csv(), "influence.csv")
        version = _registered(model, relations, tracking, ours, tags)
    noted = {**newest.metrics[OURS], **evidence, **(beside.metrics() if beside else {})}
    decision = promotions.decide(version, kind, verdict.passed, verdict.reason, noted)
    _compare(tracking, newest, {**lineage, "role": "comparison", "model": "all"}, decision, draws, seed)
    rounded = {name: round(value, 4) for name, value in newest.metrics[OURS].items() if name != "pairs"}
    return {
        "version": version.number,
        "verdict": decision.verdict,
        "is_champion": str(decision.is_champion).lower(),
        **evidence,
        **rounded,
    }


def _rival(
    champion: Version | None, params: CooccurrenceParams, context: Context, settings: Settings
) -> tuple[tuple[CooccurrenceParams, int] | None, Kind, str]:
    """Return the champion's params and the age of its data in windows, what kind of candidate ours is, and words."""
    if champion is None:
        return None, "first", ""
    if "recipe" not in champion.tags:
        return None, "challenger", ""
    theirs = CooccurrenceParams(**json.loads(champion.tags["recipe"])["params"])
    if theirs != params:
        return (theirs, 0), "challenger", "the champion's recipe"
    older = windows_older(champion, context.as_of, settings)
    words = f"the champion's recipe on data {older} x {settings.preference.holdout_days} days older"
    return ((theirs, older) if older else None), "refresh", words


def _recipe(params: CooccurrenceParams) -> str:
    return json.dumps({"kind": OURS, "params": asdict(params)}, sort_keys=True)


def _readings(
    backtest: Cooccurrence, baskets: IndexedBaskets, products: pl.DataFrame, seed: int, sentences: bool
) -> dict[str, Reading]:
    """Return what stands beside ours, over the products of the backtest: the same counts read otherwise, and rivals."""
    catalogue = pl.DataFrame({"product_id": backtest.product_ids}).join(
        products, on="product_id", how="left", maintain_order="left"
    )
    return {
        "population_lift": backtest.matrix("population_lift"),
        "cosine": backtest.matrix("cosine"),
        COMMISSIONED: AttributeCosine(attribute_vectors(catalogue)),
        **other_readings(baskets, catalogue, seed, sentences),
    }


def _intervals(window: PairWindow, draws: int, seed: int) -> dict[str, Interval]:
    nan = float("nan")
    plain = {name: Interval(value, nan, nan) for name, value in window.metrics[OURS].items()}
    return plain | {"completion_recall_10": bootstrap_mean(window.recalls[OURS], draws, seed)}


def _log(run: Run, datasets: Sequence[Dataset], window: PairWindow, name: str, draws: int, seed: int) -> None:
    for data in datasets:
        run.dataset(data)
    recall = bootstrap_mean(window.recalls[name], draws, seed)
    run.metrics(window.metrics[name])
    run.metrics({"completion_recall_10_low": recall.low, "completion_recall_10_high": recall.high})


def _compare(
    tracking: Tracking, window: PairWindow, tags: Mapping[str, object], decision: Decision, draws: int, seed: int
) -> None:
    """Log the run that shows all readings side by side, ours with its paired differences to each."""
    with tracking.run(MODEL, f"comparison {tags['as_of']}", {**tags, "verdict": decision.verdict}) as run:
        rows = [{"model": name, **values} for name, values in window.metrics.items()]
        run.table(pl.DataFrame(rows, infer_schema_length=None), "models.json")
        gains = {
            name: paired_bootstrap(window.recalls[OURS], recall, draws, seed)
            for name, recall in window.recalls.items()
            if name != OURS
        }
        table = [{"model": OURS, "against": name, **asdict(gain)} for name, gain in gains.items()]
        run.table(pl.DataFrame(table), "differences.json")
        run.figure(differences(gains, "completion recall@10, ours minus"), "plots/completion_recall_10_differences.png")
        for metric in ("pair_auc", "completion_recall_10"):
            compared = {name: values[metric] for name, values in window.metrics.items() if metric in values}
            run.figure(shares(compared, metric), f"plots/{metric}.png")
        run.text(decision.reason, "gate.txt")


def _registered(
    model: Cooccurrence, relations: Relations, tracking: Tracking, run: Run, tags: Mapping[str, object]
) -> Version:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (model.dump() | relations.dump()).items():
            (Path(folder) / name).write_bytes(content)
        return tracking.register(MODEL, Path(folder), run, tags)
