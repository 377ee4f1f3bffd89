"""Choose each customer's bundles from the candidates, with certificates, and measure the gap to the catalogue."""

from datetime import timedelta

import numpy as np
import polars as pl
from tqdm import tqdm

from ml.candidates import whole_catalogue
from ml.errors import DataError
from ml.optimizer.catalogue import Catalogue, gap_pct
from ml.params import Context, Counts
from ml.policies import POLICIES, Shelf, offerable
from ml.preference.load import load_model
from ml.publishing.lease import open_run
from ml.scenarios.personal import Facts, abstention, limits_of, rows_of, solve_customers
from ml.settings import Settings
from ml.tables import ASSOCIATIONS, BASKETS, BUNDLE_ITEMS, BUNDLES, CANDIDATES, CATALOGUE_GAPS, CUSTOMERS, PRODUCTS
from ml.tracking import Tracking
from ml.warehouse import Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.bundles``, ``ml.bundle_items`` and ``ml.catalogue_gaps`` of the run.

    Raises
    ------
    DataError
        When the run has no candidates.
    """
    warehouse = Warehouse(settings, "ml")
    lease = open_run(settings, context)
    candidates = warehouse.read(CANDIDATES, {"run_id": lease.run_id}).drop("run_id")
    if candidates.is_empty():
        raise DataError(f"run {lease.run_id} has no candidates: run propose_candidates for {context.as_of} first")
    day = {"as_of": context.as_of}
    products = warehouse.read(PRODUCTS, day)
    found = warehouse.read(ASSOCIATIONS, {"run_id": lease.run_id})
    pairs = _with_lift(found, settings)
    shelf = Shelf.of(products, pairs)
    facts = _facts(products, pairs, settings)
    bundles: list[dict[str, object]] = []
    items: list[dict[str, object]] = []
    solved = solve_customers(shelf, candidates, context.params, settings.threads)
    total = candidates["customer_id"].n_unique()
    for group, solutions in tqdm(solved, total=total, unit="customer", disable=None):
        of_bundles, of_items = rows_of(group, solutions, facts, context.params)
        bundles += of_bundles
        items += of_items
    reached = {row["customer_id"] for row in bundles}
    customers = warehouse.read(CUSTOMERS, day, ["customer_id"])["customer_id"].to_list()
    bundles += [abstention(one, facts, context.params) for one in customers if one not in reached]
    frame = pl.DataFrame(bundles, infer_schema_length=None)
    warehouse.replace_run(BUNDLES, frame, lease)
    written = warehouse.replace_run(BUNDLE_ITEMS, _typed_items(items), lease)
    gaps = _catalogue_gaps(settings, context, lease.run_id, products, shelf, pairs, frame)
    warehouse.replace_run(CATALOGUE_GAPS, gaps, lease)
    offered = frame.filter(pl.col("status") != "abstained")
    return {
        "customers": len(customers),
        "bundles": offered.height,
        "items": written,
        "abstentions": frame.height - offered.height,
        "share_optimal": round(float((offered["status"] == "optimal").sum()) / max(offered.height, 1), 6),
        "mean_gap_pct": round(float(offered["gap_pct"].sum()) / max(offered.height, 1), 6),
        "catalogue_gap_pct": round(float(gaps["gap_pct"].sum()) / max(gaps.height, 1), 4),
        "run_id": lease.run_id,
    }


def _with_lift(found: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    wanted = settings.association
    shrunk = (pl.col("pair_baskets") + wanted.shrinkage) / (pl.col("expected_baskets") + wanted.shrinkage)
    return found.with_columns(
        shrunk_lift=pl.when(pl.col("pair_baskets") >= wanted.min_pair_baskets).then(shrunk).otherwise(0.0)
    )


def _facts(products: pl.DataFrame, pairs: pl.DataFrame, settings: Settings) -> Facts:
    keys = zip(pairs["product_a"], pairs["product_b"], strict=True)
    seen = zip(pairs["pair_baskets"], pairs["shrunk_lift"], strict=True)
    return Facts(
        {row["product_id"]: row for row in products.iter_rows(named=True)},
        dict(zip(keys, seen, strict=True)),
        f"top_{settings.candidates.per_customer}",
    )


def _typed_items(items: list[dict[str, object]]) -> pl.DataFrame:
    columns = {name: kind for name, kind in BUNDLE_ITEMS.columns.items() if name != "run_id"}
    return pl.DataFrame(items, schema=columns)


def _catalogue_gaps(
    settings: Settings,
    context: Context,
    run_id: int,
    products: pl.DataFrame,
    shelf: Shelf,
    pairs: pl.DataFrame,
    bundles: pl.DataFrame,
) -> pl.DataFrame:
    """Return, for a seeded sample of customers, how far the first bundle is from the best of the whole catalogue."""
    warehouse = Warehouse(settings, "ml")
    first = bundles.filter(pl.col("bundle_rank") <= 1).sort("customer_id")
    size = min(settings.optimizer.catalogue_sample, first.height)
    drawn = np.sort(np.random.default_rng(context.params.seed).choice(first.height, size, replace=False))
    sample = first[drawn.tolist()]
    versions = warehouse.read_view("ops.runs", {"run_id": run_id}, ["model_versions"])["model_versions"][0]
    number = int(
        pl.Series([versions]).str.json_decode(pl.Struct({"preference": pl.Int64})).struct.field("preference")[0]
    )
    model = load_model(Tracking(settings).numbered("preference", number).folder)
    baskets = warehouse.read(BASKETS, {"as_of": context.as_of})
    requests = sample.select("customer_id", cut=pl.lit(context.as_of + timedelta(days=1)))
    everything = whole_catalogue(baskets, offerable(products), requests)
    scored = everything.select("customer_id", "product_id").with_columns(
        preference=pl.Series(model.score(baskets, products, everything))
    )
    policy, limits = POLICIES[context.params.policy], limits_of(context.params)
    left, right = shelf.codes(pairs["product_a"]), shelf.codes(pairs["product_b"])
    on_shelf = (left >= 0) & (right >= 0)
    left, right = left[on_shelf], right[on_shelf]
    association = pairs["association"].to_numpy()[on_shelf]
    lift = pairs["shrunk_lift"].to_numpy()[on_shelf]
    catalogue = Catalogue(shelf.price_cents, shelf.category, shelf.available_units, left, right)
    joint_policy = POLICIES["expected_joint_purchase"]
    rows = []
    for customer, objective in sample.select("customer_id", "objective").iter_rows():
        own = scored.filter(pl.col("customer_id") == customer)
        preference = np.zeros(catalogue.products)
        preference[shelf.codes(own["product_id"])] = own["preference"].to_numpy()
        values = policy.objective(preference[left], preference[right], association)
        joint = joint_policy.objective(preference[left], preference[right], lift)
        bound = catalogue.bound(preference, values, joint, limits, objective)
        rows.append((customer, objective, bound, gap_pct(objective, bound), catalogue.products))
    names = [name for name in CATALOGUE_GAPS.columns if name != "run_id"]
    kinds = {name: CATALOGUE_GAPS.columns[name] for name in names}
    return pl.DataFrame(rows, schema=kinds, orient="row")
