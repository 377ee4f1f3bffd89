"""Choose each customer's bundles from the candidates, with certificates, and measure the gap to the catalogue."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from ml.association.cooccurrence import CooccurrenceParams
from ml.candidates import whole_catalogue
from ml.errors import DataError
from ml.optimizer.solve import OPTIMAL_GAP_PCT, Solution, abstain, gap_pct, solve_many
from ml.params import Context, Counts
from ml.policies.named import POLICIES, limits_of
from ml.policies.shelf import Shelf, offerable
from ml.preference.load import load_model
from ml.publishing.lease import open_run
from ml.scenarios.personal import Facts, Row, abstention_row, chosen_products, rows_of
from ml.settings import Settings
from ml.tables import (
    ASSOCIATIONS,
    BASKETS,
    BUNDLE_ITEMS,
    BUNDLES,
    CANDIDATES,
    CATALOGUE_GAPS,
    CUSTOMER_PRODUCTS,
    CUSTOMERS,
    PRODUCTS,
    Table,
)
from ml.tracking import Tracking
from ml.training import Shop
from ml.warehouse import Lease, Warehouse

CUSTOMERS_AT_ONCE = 1000


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.bundles``, ``ml.bundle_items`` and ``ml.catalogue_gaps`` of the run.

    Raises
    ------
    DataError
        When the run has no candidates.
    """
    warehouse = Warehouse(settings, "ml")
    lease = open_run(settings, context)
    of_run = {"run_id": lease.run_id}
    products = warehouse.read(PRODUCTS, {"as_of": context.as_of})
    products = products.filter(pl.col("baskets") >= settings.min_product_baskets)
    customers = warehouse.read(CUSTOMERS, {"as_of": context.as_of}, ["customer_id", "baskets"])
    pairs = warehouse.read(ASSOCIATIONS, of_run).drop("run_id")
    counting = CooccurrenceParams(settings.association.shrinkage, settings.association.min_pair_baskets)
    is_lift = POLICIES[context.params.policy].association == "lift"
    shelf = Shelf.of(products, pairs, None if is_lift else counting)
    bundles: list[Row] = []
    items: list[Row] = []
    with tqdm(total=customers.height, unit="customer", disable=None) as progress:
        for start in range(0, customers.height, CUSTOMERS_AT_ONCE):
            some = customers.slice(start, CUSTOMERS_AT_ONCE)
            of_bundles, of_items = _solve(settings, context, lease, shelf, products, pairs, some)
            bundles += of_bundles
            items += of_items
            progress.update(some.height)
    if not any(row["candidates"] for row in bundles):
        raise DataError(f"run {lease.run_id} has no candidates: run propose_candidates for {context.as_of} first")
    frame = _typed(BUNDLES, bundles)
    warehouse.replace_run(BUNDLES, frame, lease)
    written = warehouse.replace_run(BUNDLE_ITEMS, _typed(BUNDLE_ITEMS, items), lease)
    gaps = _typed(CATALOGUE_GAPS, list(_catalogue_gaps(settings, context, lease, shelf, products, frame)))
    warehouse.replace_run(CATALOGUE_GAPS, gaps, lease)
    counts = _counts(frame, gaps)
    warehouse.call("ops.note_run", run_id=lease.run_id, patch={"counts": counts})
    return {"run_id": lease.run_id, "customers": customers.height, "items": written, **counts}


def _solve(
    settings: Settings,
    context: Context,
    lease: Lease,
    shelf: Shelf,
    products: pl.DataFrame,
    pairs: pl.DataFrame,
    customers: pl.DataFrame,
) -> tuple[list[Row], list[Row]]:
    """Return the rows of some customers; those without history or candidates get the reason instead of a bundle."""
    warehouse, params = Warehouse(settings, "ml"), context.params
    wanted = customers["customer_id"].to_list()
    found = warehouse.read(CANDIDATES, {"run_id": lease.run_id, "customer_id": wanted})
    warm = customers.filter(pl.col("baskets") > 0).select("customer_id")
    known = found.filter(pl.col("product_id").is_in(list(shelf.product_ids)))
    groups = (
        known.join(warm, on="customer_id", how="semi")
        .sort("customer_id", "candidate_rank")
        .partition_by("customer_id", maintain_order=True)
    )
    policy, limits = POLICIES[params.policy], limits_of(params)
    problems = (
        shelf.problem(policy, shelf.codes(group["product_id"]), group["preference"].to_numpy(), limits)
        for group in groups
    )
    solutions = solve_many(problems, params.solver, params.bundles_per_customer, settings.threads)
    solved = list(zip(groups, solutions, strict=True))
    facts = _facts(settings, context, products, pairs, solved)
    candidate_set = f"top_{settings.candidates.per_customer}"
    bundles: list[Row] = []
    items: list[Row] = []
    for group, answers in solved:
        of_bundles, of_items = rows_of(group, answers, facts, params, candidate_set)
        bundles += of_bundles
        items += of_items
    proposed = dict(found.group_by("customer_id").len().iter_rows())
    answered = {row["customer_id"] for row in bundles}
    for customer, baskets in customers.select("customer_id", "baskets").iter_rows():
        if customer not in answered:
            why = abstain("no_candidates" if baskets else "cold_customer")
            bundles.append(
                abstention_row(customer, why, proposed.get(customer, 0), context.as_of, params, candidate_set)
            )
    return bundles, items


def _facts(
    settings: Settings,
    context: Context,
    products: pl.DataFrame,
    pairs: pl.DataFrame,
    solved: list[tuple[pl.DataFrame, list[Solution]]],
) -> Facts:
    chosen, chosen_pairs = chosen_products(solved)
    wanted = {"as_of": context.as_of, "customer_id": chosen["customer_id"].unique().to_list()}
    columns = ["customer_id", "product_id", "baskets", "days_since_last"]
    bought = Warehouse(settings, "ml").read(CUSTOMER_PRODUCTS, wanted, columns)
    bought = bought.join(chosen, on=["customer_id", "product_id"], how="semi")
    evidence = pairs.join(chosen_pairs, on=["product_a", "product_b"], how="semi")
    named = products.join(chosen, on="product_id", how="semi")
    return Facts(
        context.as_of,
        {row["product_id"]: row for row in named.iter_rows(named=True)},
        {(customer, product): (baskets, days) for customer, product, baskets, days in bought.iter_rows()},
        {(row["product_a"], row["product_b"]): row for row in evidence.iter_rows(named=True)},
    )


def _catalogue_gaps(
    settings: Settings, context: Context, lease: Lease, shelf: Shelf, products: pl.DataFrame, bundles: pl.DataFrame
) -> Iterator[Row]:
    """Yield, for a seeded sample of customers with candidates, how far the best bundle is from the catalogue's."""
    warehouse = Warehouse(settings, "ml")
    first = bundles.filter(pl.col("bundle_rank") <= 1, pl.col("fallback_reason").fill_null("") != "cold_customer")
    size = min(settings.optimizer.catalogue_sample, first.height)
    if not size:
        return
    sample = first.sort("customer_id").sample(size, seed=context.params.seed).sort("customer_id")
    noted = warehouse.read_view("ops.runs", {"run_id": lease.run_id}, ["model_versions"])["model_versions"]
    champion = Tracking(settings).numbered("preference", json.loads(noted[0])["preference"])
    model = load_model(champion.folder)
    shop = Shop.of(warehouse.read(BASKETS, {"as_of": context.as_of}), products, settings.min_product_baskets)
    requests = sample.select("customer_id", cut=context.as_of + timedelta(days=1))
    every = whole_catalogue(shop.baskets, offerable(shop.products), requests)
    preferences = pl.Series(model.score(shop.baskets, shop.products, every))
    scored = every.select("customer_id", "product_id", preference=preferences)
    by_customer = {key: own for (key,), own in scored.partition_by("customer_id", as_dict=True).items()}
    for customer, objective in sample.select("customer_id", "objective").iter_rows():
        own = by_customer[customer]
        preference = np.zeros(len(shelf.product_ids))
        preference[shelf.codes(own["product_id"])] = own["preference"].to_numpy()
        policy = POLICIES[context.params.policy]
        bound = shelf.catalogue_bound(policy, preference, limits_of(context.params), objective)
        yield {
            "customer_id": customer,
            "objective": objective,
            "catalogue_bound": bound,
            "gap_pct": gap_pct(objective, bound),
            "catalogue_products": len(shelf.product_ids),
        }


def _counts(bundles: pl.DataFrame, gaps: pl.DataFrame) -> dict[str, Any]:
    offered = bundles.filter(pl.col("status") != "abstained")
    abstained = bundles.filter(pl.col("status") == "abstained")
    mean_gap = float(offered["gap_pct"].mean() or 0)  # type: ignore[arg-type]
    return {
        "bundles": offered.height,
        "customers_with_bundles": offered["customer_id"].n_unique(),
        "proven_optimal_share": round(offered.filter(pl.col("status") == "optimal").height / max(offered.height, 1), 6),
        "mean_gap_pct": round(mean_gap, 6),
        "catalogue_sample": gaps.height,
        # Of the sums: a mean of ratios would be ruled by customers whose bundles are worth next to nothing.
        "catalogue_gap_pct": round(gap_pct(float(gaps["objective"].sum()), float(gaps["catalogue_bound"].sum())), 4),
        "catalogue_optimal_share": round(
            gaps.filter(pl.col("gap_pct") <= OPTIMAL_GAP_PCT).height / max(gaps.height, 1), 4
        ),
        "abstentions": abstained.height,
        **{f"abstained_{why}": number for why, number in sorted(Counter(abstained["fallback_reason"]).items())},
    }


def _typed(table: Table, rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: kind for name, kind in table.columns.items() if name != "run_id"})
