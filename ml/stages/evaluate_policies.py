"""Compare bundle policies on held-out baskets: same preferences, same candidates, same size, only the rule differs."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from tqdm import tqdm

from ml.association.baskets import index_baskets
from ml.association.cooccurrence import Cooccurrence, fit_cooccurrence, load_cooccurrence
from ml.contest.pair_plan import read_recipe, wanted_params
from ml.errors import DataError, NotEnoughDataError, NothingToDo
from ml.evaluation.bootstrap import bootstrap_mean, paired_bootstrap
from ml.evaluation.bundle_metrics import BundleScores, ratio_interval
from ml.evaluation.policy_plot import intervals
from ml.evaluation.race_plot import race_curve
from ml.evaluation.splits import requests_between
from ml.optimizer.limits import Limits
from ml.optimizer.race import race
from ml.optimizer.solve import solve
from ml.params import Context, Counts
from ml.policies.backtest import backtest, held_out_customers
from ml.policies.named import BASELINE, COMPARED, OURS, POLICIES
from ml.policies.shelf import Shelf, offerable, shortlist
from ml.preference.contract import PreferenceModel
from ml.preference.load import load_model
from ml.preference.recipe import Recipe
from ml.publishing.lease import open_run
from ml.settings import Settings
from ml.tables import BASKETS, POLICY_METRICS, PRODUCT_FACTS, PRODUCTS
from ml.tracking import Tracking
from ml.training import Shop, asked, examples, kept_small, scored, told
from ml.versions import Version
from ml.warehouse import Lease, Warehouse

PAIRS = 5
RACED_CUSTOMERS, RACE_BUDGETS_MS = 24, (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
RACE_LIMITS = Limits(max_size=4, cost_per_product=0.001)
VARIANTS = {"plain": False, "cross_sell": True}
MODELS = ("preference", "association")

Scores = Mapping[tuple[str, str], BundleScores]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """The held-out days, both included, and how many customers have a basket in them."""

    first: date
    last: date
    customers: int


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.policy_metrics`` of the run of scope "models".

    Where both champions were only confirmed, the comparison made for them stands and its rows are copied.

    Raises
    ------
    DataError
        When a model has no champion.
    NothingToDo
        When there is too little to compare policies by; the models are the champions all the same.
    """
    tracking, warehouse = Tracking(settings), Warehouse(settings, "ml")
    champions = {name: _champion(tracking, name, context) for name in MODELS}
    versions = {name: version.number for name, version in champions.items()}
    lease = open_run(settings, context, scope="models")
    lineage = {"model_versions": versions, "dbt_invocation_id": warehouse.dbt_invocation(context.as_of)}
    warehouse.call("ops.note_run", run_id=lease.run_id, patch=lineage)
    earlier = None if context.params.retrain else _measured_before(warehouse, versions, lease, context.as_of)
    if earlier is not None:
        rows, mlflow_run_id = earlier
        warehouse.call("ops.note_run", run_id=lease.run_id, patch={"mlflow_run_id": mlflow_run_id})
        return {"run_id": lease.run_id, "copied": warehouse.replace_run(POLICY_METRICS, rows, lease)}

    day = {"as_of": context.as_of}
    through = context.as_of - timedelta(days=settings.preference.holdout_days)
    baskets, products = warehouse.read(BASKETS, day), warehouse.read(PRODUCTS, day, PRODUCT_FACTS)
    shop = Shop.of(baskets, products, settings.min_product_baskets, through)
    try:
        targets = _targets(shop, through, context.as_of, settings)
        model = _like(tracking, warehouse, champions["preference"], shop, through, settings, context)
    except NotEnoughDataError as error:
        raise NothingToDo(str(error)) from error
    counts = _counts(tracking, champions["association"], shop, through, settings)
    found = scored(model, shop, asked(shop, targets, settings)).with_columns(
        is_bought_before=pl.col("sources").list.contains("bought"), is_in_stock=pl.lit(True), is_asked=pl.lit(False)
    )
    on_sale = found.join(offerable(shop.products).select("product_id"), on="product_id", how="semi")
    shortlisted = shortlist(on_sale, settings.candidates.per_customer)
    scores: dict[tuple[str, str], BundleScores] = {}
    with tqdm(total=len(COMPARED) * len(VARIANTS), unit="comparison", disable=None) as progress:
        for name in COMPARED:
            policy = POLICIES[name]
            shelf = Shelf.of(shop.products, counts.frame(policy.association), counts.params)
            customers = held_out_customers(shelf, shortlisted)
            for variant, is_cross_sell in VARIANTS.items():
                progress.set_description(f"{name}, {variant}")
                scores[name, variant] = backtest(shelf, policy, customers, is_cross_sell, PAIRS, settings.threads)
                progress.update()
    window = Window(through + timedelta(days=1), context.as_of, shortlisted["customer_id"].n_unique())
    rows = pl.concat([_rows(name, scores, window, settings, context.params.seed) for name in COMPARED])
    written = warehouse.replace_run(POLICY_METRICS, rows, lease)
    points = _race(shop, counts, shortlisted, context.params.seed)
    recorded = _record(tracking, rows, points, context, settings, lineage)
    if recorded:
        warehouse.call("ops.note_run", run_id=lease.run_id, patch={"mlflow_run_id": recorded})
    hits = rows.filter(pl.col("metric") == "hit_5", pl.col("variant") == "plain")
    return {
        "run_id": lease.run_id,
        "customers": window.customers,
        "metrics": written,
        **{f"hit_5_{name}": round(value, 4) for name, value in hits.select("policy", "value").iter_rows()},
    }


def _targets(shop: Shop, through: date, as_of: date, settings: Settings) -> pl.DataFrame:
    """Return each customer's first basket after ``through`` that can hold a pair.

    Raises
    ------
    NotEnoughDataError
        When no customer has one.
    """
    least = settings.preference.min_customer_baskets
    targets = requests_between(shop.baskets, through + timedelta(days=1), as_of, least, min_products=2)
    if targets.is_empty():
        raise NotEnoughDataError(f"no customer has a basket of two products after {through}, up to {as_of}")
    return targets


def _champion(tracking: Tracking, name: str, context: Context) -> Version:
    version = tracking.find_champion(name, context.as_of)
    if version is None:
        raise DataError(f"{name}: no version passed its gate with data up to {context.as_of}; see its gate_reason")
    return version


def _measured_before(
    warehouse: Warehouse, versions: dict[str, int], lease: Lease, as_of: date
) -> tuple[pl.DataFrame, str | None] | None:
    """Return the metrics of an earlier run with the same models and the MLflow run they came from, or None."""
    facts = ["run_id", "as_of", "model_versions", "mlflow_run_id"]
    runs = warehouse.read_view("ops.runs", {"scope": "models"}, facts)
    runs = runs.filter(pl.col("as_of") <= as_of, pl.col("run_id") != lease.run_id)
    for run_id, _, noted, mlflow_run_id in runs.sort("as_of", "run_id", descending=True).iter_rows():
        rows = warehouse.read(POLICY_METRICS, {"run_id": run_id}) if json.loads(noted) == versions else pl.DataFrame()
        if rows.height:
            log.info("run %d compared policies with the same models: its %d rows are copied", run_id, rows.height)
            return rows.drop("run_id"), mlflow_run_id
    return None


def _like(
    tracking: Tracking,
    warehouse: Warehouse,
    champion: Version,
    shop: Shop,
    through: date,
    settings: Settings,
    context: Context,
) -> PreferenceModel:
    """Return the champion where it has not seen the held-out days, else its recipe followed on the days before."""
    if champion.data_cut_off <= through:
        return told(load_model(tracking.load(champion).folder), warehouse, context.as_of)
    recipe, seed = Recipe.read(champion.tags["recipe"]), context.params.seed
    known, learned = shop.baskets.filter(pl.col("basket_on") <= through), examples(shop, through, settings)
    model = told(recipe.model(seed, settings.threads), warehouse, context.as_of).fit(known, shop.products, learned)
    return kept_small(model, known, shop.products, learned, seed)


def _counts(tracking: Tracking, champion: Version, shop: Shop, through: date, settings: Settings) -> Cooccurrence:
    """Return the counts of the days before the held-out ones: the champion's, or its recipe followed anew.

    Where that cannot be followed, which the gate of the pairs puts up with too, pairs are counted as the settings say.
    """
    if champion.data_cut_off <= through:
        loaded = tracking.load(champion)
        return load_cooccurrence({path.name: path.read_bytes() for path in loaded.folder.iterdir()})
    try:
        params = read_recipe(champion.tags["recipe"])
    except (KeyError, DataError) as error:
        params = wanted_params(settings)
        log.warning("association %d: its recipe cannot be followed, counted as %s: %s", champion.number, params, error)
    return fit_cooccurrence(index_baskets(shop.baskets.filter(pl.col("basket_on") <= through)), params)


def _rows(name: str, scores: Scores, window: Window, settings: Settings, seed: int) -> pl.DataFrame:
    """Return the metrics of one policy; ours is compared with the usual widget, all others with ours."""
    peer = BASELINE if name == OURS else OURS
    draws = settings.optimizer.bootstrap_draws
    rows: list[tuple[object, ...]] = []
    for variant in VARIANTS:
        own, other = scores[name, variant], scores[peer, variant]
        for metric, values, theirs in (("hit_5", own.hit, other.hit), ("precision_5", own.precision, other.precision)):
            mean, gain = bootstrap_mean(values, draws, seed), paired_bootstrap(values, theirs, draws, seed)
            facts = (mean.value, mean.low, mean.high, peer, gain.value, gain.low, gain.high)
            rows.append((name, metric, variant, *facts))
        ratio = ratio_interval(own.predicted, own.bought, draws, seed)
        if ratio:
            rows.append((name, "joint_probability_ratio", variant, *ratio, None, None, None, None))
    columns = {column: kind for column, kind in POLICY_METRICS.columns.items() if column != "run_id"}
    wide = {column: kind for column, kind in columns.items() if column not in ("customers", "window_from", "window_to")}
    return pl.DataFrame(rows, schema=wide, orient="row").with_columns(
        customers=pl.lit(window.customers, pl.Int32), window_from=window.first, window_to=window.last
    )


def _race(shop: Shop, counts: Cooccurrence, shortlisted: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Let the solvers race on some customers' real problems; no rows where nobody has a bundle worth anything."""
    shelf = Shelf.of(shop.products, counts.frame(POLICIES[OURS].association), counts.params)
    customers = held_out_customers(shelf, shortlisted)[:RACED_CUSTOMERS]
    ours = POLICIES[OURS]
    problems = [shelf.problem(ours, one.codes, one.preference, RACE_LIMITS, spread=one.spread) for one in customers]
    if not any(solve(problem).status == "optimal" for problem in problems):
        log.warning("no race of the solvers: none of %s customers has a bundle that is proven best", len(problems))
        return pl.DataFrame()
    return pl.DataFrame([asdict(point) for point in race(problems, RACE_BUDGETS_MS, seed)])


def _record(
    tracking: Tracking,
    rows: pl.DataFrame,
    points: pl.DataFrame,
    context: Context,
    settings: Settings,
    lineage: dict[str, Any],
) -> str | None:
    """Log one MLflow run a policy, the race of the solvers with ours; return the id of ours."""
    tags = {
        "as_of": context.as_of,
        "data_cut_off": context.as_of - timedelta(days=settings.preference.holdout_days),
        "git_commit": settings.git_commit,
        "seed": context.params.seed,
        "dbt_invocation_id": lineage["dbt_invocation_id"],
        **{f"{name}_version": number for name, number in lineage["model_versions"].items()},
    }
    hits = rows.filter(pl.col("metric") == "hit_5")
    recorded = None
    for name in COMPARED:
        policy = POLICIES[name]
        own = rows.filter(pl.col("policy") == name)
        with tracking.run("bundle_policy", f"{name} {context.as_of}", {**tags, "policy": name}) as run:
            run.params({"association": policy.association, "objective": policy.objective.name.lower(), "pairs": PAIRS})
            for row in own.iter_rows(named=True):
                metric = row["metric"] if row["variant"] == "plain" else f"{row['metric']}_{row['variant']}"
                run.metrics({metric: row["value"], f"{metric}_low": row["low"], f"{metric}_high": row["high"]})
            for variant in VARIANTS:
                run.figure(intervals(hits.filter(pl.col("variant") == variant), "hit@5"), f"plots/hit_5_{variant}.png")
            if name != OURS:
                continue
            recorded = run.run_id
            if points.height:
                last = points.group_by("solver", maintain_order=True).last()
                names = last["solver"].str.replace_all(r"\W+", "_")
                run.metrics({f"gap_pct_{name}": gap for name, gap in zip(names, last["mean_gap_pct"], strict=True)})
                run.figure(race_curve(points), "plots/solvers_gap_against_time.png")
    return recorded
