"""Train the preference model when it is due, compare it on held-out baskets, register it behind a gate."""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ml.contest.card import preference_card
from ml.contest.logged import log_comparison, log_model, log_results
from ml.contest.plan import AGED, CANDIDATE, CHAMPION, Plan, newest_facts, plan_contest, rivalry
from ml.contest.windows import Contest, Entrant, hold_contest
from ml.datasets import Dataset
from ml.errors import NotEnoughDataError, NothingToDo
from ml.evaluation.gate import Rivalry, Verdict, best_of, judge_challenger, judge_first, judge_refresh, stand_in
from ml.influence import influence, summary
from ml.params import Context, Counts
from ml.preference.contract import PreferenceModel
from ml.preference.recipe import Recipe, followed
from ml.publishing.due import why_train
from ml.publishing.promotion import Decision, Kind, Promotions
from ml.settings import Settings
from ml.tables import BASKETS, BUNDLE_REACTIONS, EVENTS, PRODUCT_FACTS, PRODUCTS
from ml.tracking import Run, Tracking
from ml.training import Shop, examples
from ml.versions import Version
from ml.warehouse import Warehouse

MODEL = "preference"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What every step of one training needs: the run, who took part, what came out, and all data for the last fit."""

    settings: Settings
    context: Context
    champion: Version | None
    plan: Plan
    contest: Contest
    whole: Shop
    learned: pl.DataFrame
    datasets: tuple[Dataset, ...]
    lineage: Mapping[str, object]

    @property
    def chance(self) -> tuple[int, int]:
        """Return the draws of every bootstrap and the seed of every random choice."""
        return self.settings.optimizer.bootstrap_draws, self.context.params.seed


def run(settings: Settings, context: Context) -> Counts:
    """Confirm the champion where it is not due; else compare, refit on all data up to the as-of date, register.

    The candidate is what the settings ask for. Where it is not promoted and the champion follows another recipe, that
    recipe is refreshed instead: a challenger that is no better does not let the champion grow old. Where there is no
    champion yet and the gate refuses the candidate, the best baseline is registered in its place: a small shop starts
    with what counts best, and a later candidate has to beat it.

    Raises
    ------
    NotEnoughDataError
        When there is too little data to learn from, and no champion.
    NothingToDo
        When there is too little data to learn from: the champion stays.
    TemporaryError
        When MLflow does not take the registration.
    """
    tracking, promotions = Tracking(settings), Promotions(settings, context, MODEL, followed)
    promotions.notice_moves()
    champion = tracking.find_champion(MODEL, context.as_of)
    why = why_train(settings, context, promotions, champion, ("feature", "score"))
    log.info("%s: %s", MODEL, why or "not due")
    if champion and why is None:
        return {"confirmed_version": champion.number, "age_days": (context.as_of - champion.data_cut_off).days}
    try:
        job = _job(settings, context, champion, why)
    except NotEnoughDataError as error:
        if champion is None:
            raise
        raise NothingToDo(f"{error}; version {champion.number} stays the champion") from error
    for one in job.plan.entrants:
        if one.name != CANDIDATE and job.contest.measured[one.name]:
            _record(job, tracking, one)
    version, decision = _candidate(job, tracking, promotions)
    if decision.verdict == "refused" and champion is None:
        version, decision = _stand_in(job, tracking, promotions, version.number, decision.reason)
    elif not decision.is_champion and job.plan.can_refresh_champion:
        version, decision = _refresh(job, tracking, promotions)
    _compare(job, tracking, decision)
    facts = job.contest.measured[CANDIDATE][-1].facts
    return {
        "version": version.number,
        "trained_because": str(why),
        "kind": version.tags["model"],
        "verdict": decision.verdict,
        "is_champion": str(decision.is_champion).lower(),
        "customers": job.contest.measured[CANDIDATE][-1].known.height,
        "windows": len(job.contest.measured[CANDIDATE]),
        **{name: round(facts[name], 5) for name in ("recall_20", "ndcg_10", "brier", "ece")},
    }


def _job(settings: Settings, context: Context, champion: Version | None, why: str | None) -> Job:
    warehouse, as_of, seed = Warehouse(settings, "ml"), context.as_of, context.params.seed
    day = {"as_of": as_of}
    baskets, products = warehouse.read(BASKETS, day), warehouse.read(PRODUCTS, day, PRODUCT_FACTS)
    datasets = tuple(
        Dataset.of(table.qualified, frame, as_of) for table, frame in ((BASKETS, baskets), (PRODUCTS, products))
    )
    plan = plan_contest(champion, as_of, settings)
    events = None
    if plan.listens:
        events = warehouse.read(EVENTS, day)
        datasets = (*datasets, Dataset.of(EVENTS.qualified, events, as_of))
    reactions = warehouse.read(BUNDLE_REACTIONS, day)
    if not reactions.is_empty():
        datasets = (*datasets, Dataset.of(BUNDLE_REACTIONS.qualified, reactions, as_of))
    contest = hold_contest(baskets, products, as_of, plan.entrants, settings, seed, events, reactions)
    whole = Shop.of(baskets, products, settings.min_product_baskets)
    lineage = {
        "as_of": as_of,
        "data_cut_off": as_of,
        "trained_because": why,
        "git_commit": settings.git_commit,
        "lock_sha256": settings.lock_sha256,
        "dbt_invocation_id": warehouse.dbt_invocation(as_of),
        "seed": seed,
        "dataset_digest": "+".join(data.digest[:12] for data in datasets),
    }
    learned = examples(whole, as_of, settings)
    return Job(settings, context, champion, plan, contest, whole, learned, datasets, lineage)


def _record(job: Job, tracking: Tracking, one: Entrant) -> None:
    """Log the run of an entrant that is only compared; the champion's recipe followed anew is not the champion."""
    role = "baseline" if one.name in job.plan.baselines else "comparison"
    tags = {**job.lineage, "role": role, "model": one.recipe.kind}
    if one.name in (CHAMPION, AGED) and job.champion:
        tags["champion_version"] = job.champion.number
    with tracking.run(MODEL, f"{one.name} {job.context.as_of}", tags) as theirs:
        _log(job, theirs, one.name, one.recipe)


def _log(job: Job, run: Run, entrant: str, recipe: Recipe) -> None:
    for data in job.datasets:
        run.dataset(data)
    run.params({"kind": recipe.kind, "examples": job.contest.learned, **json.loads(recipe.params)})
    log_results(run, recipe.kind, job.contest.measured[entrant], *job.chance)
    if entrant in job.contest.models:
        log_model(run, job.contest.models[entrant], job.contest)


def _candidate(job: Job, tracking: Tracking, promotions: Promotions) -> tuple[Version, Decision]:
    """Submit what the settings ask for, judged against the champion's recipe or, without one, the baselines."""
    results, plan = job.contest.measured, job.plan
    facts, baselines = results[CANDIDATE][-1].facts, newest_facts(job.contest, plan.baselines)
    age = f" on data {plan.older} x {job.settings.preference.holdout_days} days older" if plan.is_refresh else ""
    beside = rivalry(results, CANDIDATE, CHAMPION, f"the champion's recipe{age}", *job.chance)
    kind: Kind = "refresh" if plan.is_refresh else "challenger" if job.champion else "first"
    if kind == "refresh":
        verdict = judge_refresh(facts, baselines, beside)
    elif kind == "challenger":
        verdict = judge_challenger(facts, baselines, beside, plan.apart or "they meet in no window")
    else:
        verdict = judge_first(facts, baselines)
    return _submit(job, tracking, promotions, CANDIDATE, plan.candidate, kind, verdict, beside)


def _refresh(job: Job, tracking: Tracking, promotions: Promotions) -> tuple[Version, Decision]:
    """Submit the champion's recipe on all data."""
    assert job.plan.champion is not None  # noqa: S101 - for the type checker; the caller has looked
    results, plan = job.contest.measured, job.plan
    age = f"the champion's recipe on data {plan.older} x {job.settings.preference.holdout_days} days older"
    beside = rivalry(results, CHAMPION, AGED, age, *job.chance)
    verdict = judge_refresh(results[CHAMPION][-1].facts, newest_facts(job.contest, plan.baselines), beside)
    return _submit(job, tracking, promotions, CHAMPION, job.plan.champion, "refresh", verdict, beside)


def _stand_in(
    job: Job, tracking: Tracking, promotions: Promotions, refused: int, refusal: str
) -> tuple[Version, Decision]:
    """Submit the best baseline, since a first candidate was refused."""
    name, reason = stand_in(newest_facts(job.contest, job.plan.baselines), refused, refusal)
    recipe = next(one.recipe for one in job.plan.entrants if one.name == name)
    return _submit(job, tracking, promotions, name, recipe, "first", Verdict(True, reason), None)


def _submit(
    job: Job,
    tracking: Tracking,
    promotions: Promotions,
    entrant: str,
    recipe: Recipe,
    kind: Kind,
    verdict: Verdict,
    beside: Rivalry | None,
) -> tuple[Version, Decision]:
    """Log, refit on all data, register and judge one model."""
    tags = {**job.lineage, "role": "challenger", "model": recipe.kind, "recipe": recipe.text}
    card = (job.plan, job.contest, job.lineage, verdict.reason, job.context.as_of, job.settings)
    with tracking.run(MODEL, f"{recipe.kind} {job.context.as_of}", tags) as ours:
        _log(job, ours, entrant, recipe)
        ours.metrics({**summary(job.whole.baskets), **(beside.metrics() if beside else {})})
        ours.text(influence(job.whole.baskets).write_csv(), "influence.csv")
        ours.text(verdict.reason, "gate.txt")
        ours.text(preference_card(entrant, recipe, *card), "card.md")
        with tempfile.TemporaryDirectory() as folder:
            _final(job, entrant, recipe).save(Path(folder))
            version = tracking.register(MODEL, Path(folder), ours, tags)
    noted = {**job.contest.measured[entrant][-1].facts, **(beside.metrics() if beside else {})}
    return version, promotions.decide(version, kind, verdict.passed, verdict.reason, noted)


def _final(job: Job, entrant: str, recipe: Recipe) -> PreferenceModel:
    """Return the model on all data; one that can grow on keeps the size that its validation found best."""
    data = (job.whole.baskets, job.whole.products, job.learned)
    refit = getattr(job.contest.models[entrant], "refit", None)
    model: PreferenceModel = refit(*data) if refit else recipe.model(job.chance[1], job.settings.threads).fit(*data)
    return model


def _compare(job: Job, tracking: Tracking, decision: Decision) -> None:
    """Log the run that shows all models side by side."""
    results, as_of = job.contest.measured, job.context.as_of
    best = best_of(newest_facts(job.contest, job.plan.baselines))
    against = [CHAMPION if results.get(CHAMPION) else CANDIDATE, best]
    tags = {**job.lineage, "role": "comparison", "model": "all", "verdict": decision.verdict}
    with tracking.run(MODEL, f"comparison {as_of}", tags) as all_of_them:
        log_comparison(all_of_them, results, against, *job.chance)
        all_of_them.text(decision.reason, "gate.txt")
        notes = [*job.plan.notes, *job.contest.notes]
        if notes:
            all_of_them.text("\n".join(notes), "not_compared.txt")
