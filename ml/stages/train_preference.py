"""Train the preference model when it is due, compare it on held-out baskets, register it behind a gate."""

import logging
import tempfile
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import polars as pl

from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.gate import judge_preference, stand_in
from ml.evaluation.metrics import (
    base_rate_brier,
    brier,
    by_customer,
    expected_calibration_error,
    reliability,
    repeat_and_explore,
)
from ml.evaluation.plots import recall_by_k, reliability_diagram, shares
from ml.influence import influence, summary
from ml.params import Context, Counts
from ml.preference.baselines import GlobalPopularity, PersonalDecayed, PersonalFrequency
from ml.preference.contract import PreferenceModel
from ml.preference.load import KINDS, load_model
from ml.preference.two_tower import TwoTowerAdditive
from ml.settings import Settings
from ml.tables import BASKETS, PRODUCTS
from ml.tracking import Run, Tracking
from ml.training import Shop, asked, examples, fitted_ranker, held_out, scored
from ml.versions import Version
from ml.warehouse import Warehouse

log = logging.getLogger(__name__)
KS = (1, 5, 10, 20, 50)
BASELINES: tuple[type[PreferenceModel], ...] = (
    GlobalPopularity,
    PersonalFrequency,
    PersonalDecayed,
    TwoTowerAdditive,
)


def run(settings: Settings, context: Context) -> Counts:
    """Confirm the champion where it is not due; else backtest, refit on all data up to the as-of date, register.

    The refit grows as many trees as the backtest found best. Where the ranker does not pass and there is no champion
    yet, the best baseline is registered in its place, with that as its reason: a small shop starts with what counts
    best, and a later ranker has to beat it.

    Raises
    ------
    DataError
        When there is too little data to learn from.
    TemporaryError
        When MLflow does not take the registration.
    """
    tracking = Tracking(settings)
    champion = tracking.find_champion("preference", context.as_of)
    if champion and not context.params.retrain:
        age_days = (context.as_of - champion.data_cut_off).days
        if age_days < settings.preference.retrain_after_days:
            return {"confirmed_version": champion.number, "age_days": age_days}
    warehouse = Warehouse(settings, "ml")
    day = {"as_of": context.as_of}
    baskets, products = warehouse.read(BASKETS, day), warehouse.read(PRODUCTS, day)
    through = context.as_of - timedelta(days=settings.preference.holdout_days)
    shop = Shop.of(baskets, products, settings.min_product_baskets, through)
    _, targets = held_out(shop, context.as_of, settings)
    ranker, learned = fitted_ranker(shop, through, settings, context.params.seed)
    candidates = asked(shop, targets, settings)
    tags = {
        "as_of": context.as_of,
        "data_cut_off": context.as_of,
        "git_commit": settings.git_commit,
        "dbt_invocation_id": warehouse.dbt_invocation(context.as_of),
        "seed": context.params.seed,
    }
    whole = Shop.of(baskets, products, settings.min_product_baskets)
    baselines: dict[str, dict[str, float]] = {}
    with tracking.run("preference", f"ranker {context.as_of}", {**tags, "model": "ranker"}) as ours:
        table, facts = _measured(ranker, shop, candidates, targets, ours)
        curves = {"ranker": _curve(table)}
        for kind in BASELINES:
            model = kind().fit(shop.baskets, shop.products, learned)
            with tracking.run("preference", f"{kind.kind} {context.as_of}", {**tags, "model": kind.kind}) as theirs:
                other, other_facts = _measured(model, shop, candidates, targets, theirs)
            baselines[kind.kind] = other_facts
            curves[kind.kind] = _curve(other)
            gain = paired_bootstrap(table["ndcg_10"].to_numpy(), other["ndcg_10"].to_numpy(), seed=context.params.seed)
            ours.metrics({f"ndcg_10_over_{kind.kind}": gain.value, f"ndcg_10_over_{kind.kind}_low": gain.low})
        ours.metrics(summary(whole.baskets))
        ours.text(influence(whole.baskets).write_csv(), "influence.csv")
        ours.params(asdict(ranker.params) | {"rounds": ranker.rounds, "examples": learned.height})
        ours.figure(recall_by_k(curves, KS), "plots/recall_by_k.png")
        ours.figure(shares(ranker.importance(), "share of gain"), "plots/feature_importance.png")
        has_seen = champion is not None and champion.data_cut_off > through
        rival = None if has_seen else _ndcg(champion, tracking, shop, candidates, targets)
        passed, reason = judge_preference(facts, baselines, rival)
        if has_seen:
            reason += "; not compared with the champion, which was trained on these baskets"
        ours.text(reason, "gate.txt")
        learned_now = examples(whole, context.as_of, settings)
        ranker.refit(whole.baskets, whole.products, learned_now)
        version = _registered(ranker, tracking, ours, tags)
    is_champion = tracking.judge(version, passed, reason)
    log.info("preference %d: %s", version.number, reason)
    if not passed and champion is None:
        name, reason = stand_in(baselines, version.number, reason)
        with tracking.run("preference", f"{name} stands in {context.as_of}", {**tags, "model": name}) as theirs:
            theirs.metrics(baselines[name])
            theirs.text(reason, "gate.txt")
            model = KINDS[name]().fit(whole.baskets, whole.products, learned_now)
            version = _registered(model, tracking, theirs, tags)
        is_champion = tracking.judge(version, passed=True, reason=reason)
        log.warning("preference %d: %s", version.number, reason)
    return {
        "version": version.number,
        "kind": version.tags["model"],
        "is_champion": str(is_champion).lower(),
        "customers": targets.height,
        "recall_10": round(facts["recall_10"], 4),
        "ndcg_10": round(facts["ndcg_10"], 4),
        "brier": round(facts["brier"], 5),
        "ece": round(facts["ece"], 5),
    }


def _measured(
    model: PreferenceModel, shop: Shop, candidates: pl.DataFrame, targets: pl.DataFrame, run: Run
) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return metrics by customer and their means, which are logged too; repeat and explore apart."""
    found = scored(model, shop, candidates)
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    table = by_customer(found, sizes, KS)
    facts = {name: float(table[name].mean()) for name in table.columns if name != "customer_id"}  # type: ignore[arg-type]
    for kind, part in repeat_and_explore(found, sizes).items():
        if part.height:
            facts[f"{kind}_recall_10"] = float(part["recall_10"].mean())  # type: ignore[arg-type]
    probability, outcome = found["preference"].to_numpy(), found["is_bought"].to_numpy().astype(float)
    facts |= {
        "brier": brier(probability, outcome),
        "base_rate_brier": base_rate_brier(outcome),
        "ece": expected_calibration_error(probability, outcome),
    }
    run.metrics(facts)
    run.figure(reliability_diagram(reliability(probability, outcome)), "plots/reliability.png")
    for k in KS:
        run.metrics({"recall_by_k": facts[f"recall_{k}"]}, step=k)
    return table, facts


def _curve(table: pl.DataFrame) -> list[float]:
    return [float(table[f"recall_{k}"].mean()) for k in KS]  # type: ignore[arg-type]


def _ndcg(
    champion: Version | None, tracking: Tracking, shop: Shop, candidates: pl.DataFrame, targets: pl.DataFrame
) -> float | None:
    if champion is None:
        return None
    found = scored(load_model(tracking.load(champion).folder), shop, candidates)
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    return float(by_customer(found, sizes, (10,))["ndcg_10"].mean())  # type: ignore[arg-type]


def _registered(model: PreferenceModel, tracking: Tracking, run: Run, tags: dict[str, object]) -> Version:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return tracking.register("preference", Path(folder), run, {**tags, "model": model.kind})
