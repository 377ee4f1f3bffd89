"""Count pairs when it is due, compare on held-out baskets, register the association model behind a gate."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from ml.association.backoff import BackOff, fit_back_off
from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams
from ml.association.readings import other_readings
from ml.association.substitutes import SubstituteParams, tell_apart
from ml.contest.cold import chosen_reading
from ml.contest.counts import PairWindow, counted, pair_rivalry, pair_windows
from ml.contest.pair_log import intervals, log_pair_comparison, log_reading
from ml.contest.pair_plan import AGED, CHAMPION, OURS, PairPlan, followed, plan_pairs, recipe_of
from ml.datasets import Dataset
from ml.errors import NotEnoughDataError, NothingToDo
from ml.evaluation.association_gate import PairRivalry, judge_challenger, judge_first, judge_refresh
from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.cards import Card
from ml.evaluation.gate import Verdict
from ml.evaluation.pair_metrics import Reading
from ml.influence import influence, summary
from ml.params import Context, Counts
from ml.publishing.due import why_train
from ml.publishing.promotion import Decision, Kind, Promotions
from ml.settings import Settings
from ml.tables import BASKETS, PRODUCTS
from ml.tracking import Tracking
from ml.training import Shop
from ml.versions import Version
from ml.warehouse import Warehouse

MODEL, COMMISSIONED = "association", "scaled_cosine"
ABOUT = (
    "How many times as often as by chance two products lie in one basket, within customers, with its evidence; and "
    "what categories or attributes say of products that are new."
)
LIMITS = (
    "A pair is known from a few shared baskets on; of a product that is new, its category or attributes speak.",
    "It is symmetric, and says nothing about which of two products calls for the other.",
    "The registered counts are of all data and are themselves not measured: their recipe is.",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What every step of one training needs: the run, who took part, what came out, and all data for the counts."""

    settings: Settings
    context: Context
    plan: PairPlan
    windows: list[PairWindow]
    notes: list[str]
    whole: Shop
    back_off: BackOff
    facts: Mapping[str, float | str]
    datasets: tuple[Dataset, ...]
    lineage: Mapping[str, object]

    @property
    def chance(self) -> tuple[int, int]:
        """Return the draws of every bootstrap and the seed of every random choice."""
        return self.settings.optimizer.bootstrap_draws, self.context.params.seed

    @property
    def can_refresh_champion(self) -> bool:
        """Return whether there is a champion's recipe to refresh, and the newest window could measure it."""
        return self.plan.can_refresh_champion and CHAMPION in self.windows[-1].metrics


def run(settings: Settings, context: Context) -> Counts:
    """Confirm the champion where it is not due; else compare, count everything up to the as-of date, register.

    Where the candidate is not promoted and the champion follows another recipe, that recipe is refreshed instead, so
    that the champion does not grow old.

    Raises
    ------
    NotEnoughDataError
        When no pair has enough evidence, and there is no champion.
    NothingToDo
        When no pair has enough evidence: the champion stays.
    TemporaryError
        When MLflow does not take the registration.
    """
    tracking, promotions = Tracking(settings), Promotions(settings, context, MODEL, followed)
    promotions.notice_moves()
    champion = tracking.find_champion(MODEL, context.as_of)
    why = why_train(settings, context, promotions, champion, ("feature",))
    log.info("%s: %s", MODEL, why or "not due")
    if champion and why is None:
        return {"confirmed_version": champion.number, "age_days": (context.as_of - champion.data_cut_off).days}
    try:
        job = _job(settings, context, plan_pairs(champion, context.as_of, settings), why)
    except NotEnoughDataError as error:
        if champion is None:
            raise
        raise NothingToDo(f"{error}; version {champion.number} stays the champion") from error
    newest = job.windows[-1]
    for name in (name for name in newest.metrics if name != OURS):
        tags = {**job.lineage, "model": name, "role": "baseline" if name == COMMISSIONED else "comparison"}
        if champion and name in (CHAMPION, AGED):
            tags["champion_version"] = champion.number
        with tracking.run(MODEL, f"{name} {context.as_of}", tags) as theirs:
            log_reading(theirs, job.datasets, newest, name, *job.chance)
    version, decision, evidence = _candidate(job, tracking, promotions)
    if not decision.is_champion and job.can_refresh_champion:
        version, decision, evidence = _refresh(job, tracking, promotions)
    tags = {**job.lineage, "role": "comparison", "model": "all", "verdict": decision.verdict}
    with tracking.run(MODEL, f"comparison {context.as_of}", tags) as all_of_them:
        log_pair_comparison(all_of_them, newest, decision, *job.chance)
        notes = [*([job.plan.apart] if job.plan.apart else []), *job.notes]
        if notes:
            all_of_them.text("\n".join(notes), "not_compared.txt")
    rounded = {name: round(value, 4) for name, value in newest.metrics[OURS].items() if name != "pairs"}
    return {
        "version": version.number,
        "trained_because": str(why),
        "verdict": decision.verdict,
        "is_champion": str(decision.is_champion).lower(),
        "new_products_by": job.back_off.reading,
        **evidence,
        **rounded,
    }


def _job(settings: Settings, context: Context, plan: PairPlan, why: str | None) -> Job:
    warehouse, as_of, seed = Warehouse(settings, "ml"), context.as_of, context.params.seed
    baskets, products = (warehouse.read(table, {"as_of": as_of}) for table in (BASKETS, PRODUCTS))
    datasets = (Dataset.of(BASKETS.qualified, baskets, as_of), Dataset.of(PRODUCTS.qualified, products, as_of))
    sentences = settings.association.sentences

    def readings(backtest: Cooccurrence, known: IndexedBaskets, catalogue: pl.DataFrame) -> dict[str, Reading]:
        return {
            "population_lift": backtest.matrix("population_lift"),
            "cosine": backtest.matrix("cosine"),
            COMMISSIONED: AttributeCosine(attribute_vectors(catalogue)),
            **other_readings(known, catalogue, seed, sentences),
        }

    windows, notes = pair_windows(baskets, products, as_of, plan.entrants, readings, settings, seed)
    reading, scales, auc = chosen_reading([one.cold for one in windows])
    whole = Shop.of(baskets, products, settings.min_product_baskets)
    offered = products.filter("is_bundleable").sort("product_id")
    back_off = fit_back_off(index_baskets(whole.baskets), offered, reading, scales, seed, sentences)
    facts: dict[str, float | str] = {
        "new_products_by": reading,
        **{f"pair_auc_cold_{name}": value for name, value in auc.items()},
    }
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
    return Job(settings, context, plan, windows, notes, whole, back_off, facts, datasets, lineage)


Submitted = tuple[Version, Decision, dict[str, int | float]]


def _candidate(job: Job, tracking: Tracking, promotions: Promotions) -> Submitted:
    """Submit what the settings ask for, judged against the champion's recipe and the commissioned formula."""
    plan = job.plan
    age = f" on data {plan.older} x {job.settings.preference.holdout_days} days older" if plan.kind == "refresh" else ""
    beside = pair_rivalry(job.windows, OURS, CHAMPION, f"the champion's recipe{age}", *job.chance)
    return _submit(job, tracking, promotions, OURS, plan.params, plan.kind, beside)


def _refresh(job: Job, tracking: Tracking, promotions: Promotions) -> Submitted:
    """Submit the champion's recipe on all data."""
    assert job.plan.champion is not None  # noqa: S101 - for the type checker; the caller has looked
    age = f"the champion's recipe on data {job.plan.older} x {job.settings.preference.holdout_days} days older"
    beside = pair_rivalry(job.windows, CHAMPION, AGED, age, *job.chance)
    return _submit(job, tracking, promotions, CHAMPION, job.plan.champion, "refresh", beside)


def _verdict(job: Job, entrant: str, kind: Kind, pairs: int, beside: PairRivalry | None) -> Verdict:
    newest = job.windows[-1]
    gains = {COMMISSIONED: paired_bootstrap(newest.recalls[entrant], newest.recalls[COMMISSIONED], *job.chance)}
    shown = {name: newest.metrics[name].get("completion_recall_10", 0.0) for name in ("population_lift", "cosine")}
    if kind == "first":
        return judge_first(gains, pairs, shown)
    if kind == "refresh":
        return judge_refresh(gains, pairs, shown, beside)
    return judge_challenger(gains, pairs, shown, beside, job.plan.apart or "; ".join(job.notes))


def _submit(
    job: Job,
    tracking: Tracking,
    promotions: Promotions,
    entrant: str,
    params: CooccurrenceParams,
    kind: Kind,
    beside: PairRivalry | None,
) -> Submitted:
    """Log, count on all data, register and judge one model."""
    newest, as_of = job.windows[-1], job.context.as_of
    model = counted(job.whole.baskets, params)
    relations = tell_apart(job.whole.baskets, job.whole.products, SubstituteParams(shrinkage=params.shrinkage))
    evidence: dict[str, int | float] = {
        "pairs": len(model.first),
        "products": len(model.product_ids),
        "baskets": model.baskets_total,
        "embedded_products": len(job.back_off.product_ids),
        "outweighed_pairs": model.outweighed_pairs,
        **relations.numbers(),
        **summary(job.whole.baskets),
    }
    verdict = _verdict(job, entrant, kind, len(model.first), beside)
    told = {**evidence, **{name: value for name, value in job.facts.items() if isinstance(value, float)}}
    told |= beside.metrics() if beside else {}
    tags = {**job.lineage, "model": OURS, "role": "challenger", "recipe": recipe_of(params)}
    with tracking.run(MODEL, f"{OURS} {as_of}", tags) as ours:
        ours.params({**asdict(params), "holdout_days": job.settings.preference.holdout_days})
        log_reading(ours, job.datasets, newest, entrant, *job.chance)
        ours.metrics(told)
        ours.text(verdict.reason, "gate.txt")
        facts = {"trained on data up to": as_of, "judged": f"baskets of the days after {newest.origin}",
                 "recipe": recipe_of(params), **evidence, **job.facts, **job.lineage}  # fmt: skip
        measured = intervals(newest, entrant, *job.chance)
        card = Card(MODEL, OURS, ABOUT, as_of, facts, measured, pl.DataFrame(), (*LIMITS, *job.notes), verdict.reason)
        ours.text(card.markdown(), "card.md")
        ours.text(influence(job.whole.baskets).write_csv(), "influence.csv")
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (model.dump() | relations.dump() | job.back_off.dump()).items():
                (Path(folder) / name).write_bytes(content)
            version = tracking.register(MODEL, Path(folder), ours, tags)
    decision = promotions.decide(version, kind, verdict.passed, verdict.reason, {**newest.metrics[entrant], **told})
    return version, decision, evidence
