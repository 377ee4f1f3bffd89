"""Choose each customer's bundles from the candidates, with certificates, and measure the gap to the catalogue."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from ml.candidates import whole_catalogue
from ml.errors import DataError
from ml.optimizer.solve import OPTIMAL_GAP_PCT, abstain, gap_pct, in_threads
from ml.optimizer.stock import StockParams
from ml.params import Context, Counts
from ml.policies.shelf import offerable
from ml.preference.load import load_model
from ml.publishing.lease import open_run
from ml.publishing.published import NO_RUN, bundles_of, published_run, standing_bundles
from ml.scenarios.changes import Option, options, within_change_share
from ml.scenarios.desk import CUSTOMERS_AT_ONCE, applied_rules, desk_of, slates_of
from ml.scenarios.live import Live
from ml.scenarios.personal import Facts, Row, abstention_row, chosen_products, mix_counts, rows_of
from ml.scenarios.rule_prices import RulePrices
from ml.scenarios.shared_stock import Coupled, Ints, capacity_of, couple, shadow_prices, uncoupled
from ml.scenarios.slates import Desk, Slate, solved
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
    PRODUCT_FACTS,
    PRODUCTS,
    RULE_COSTS,
    SHADOW_PRICES,
)
from ml.tracking import Tracking
from ml.training import Shop, newcomers, told, with_evidence
from ml.warehouse import Lease, Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.bundles``, ``ml.bundle_items``, ``ml.shadow_prices``, ``ml.catalogue_gaps`` and ``ml.rule_costs``.

    Raises
    ------
    DataError
        When the run has no candidates, or its policy needs margins that no product has.
    """
    warehouse = Warehouse(settings, "ml")
    lease = open_run(settings, context)
    products = warehouse.read(PRODUCTS, {"as_of": context.as_of}, PRODUCT_FACTS)
    rules = applied_rules(warehouse, lease.run_id, products)
    products = with_evidence(products, context.as_of, settings)
    customers = warehouse.read(CUSTOMERS, {"as_of": context.as_of}, ["customer_id", "baskets"])
    pairs = warehouse.read(ASSOCIATIONS, {"run_id": lease.run_id}).drop("run_id")
    desk = desk_of(settings, context.params, products, pairs, rules)
    # Without a change budget a run does not depend on what is published: the same day gives the same rows.
    is_bounded = context.params.max_change_share < 1
    live_run = published_run(warehouse, context.params.scenario) if is_bounded else NO_RUN
    slates: list[Slate] = []
    prices_of_rules = RulePrices(desk, context.params)
    choices: list[list[Option]] = []
    with tqdm(total=customers.height, unit="customer", disable=None) as progress:
        for start in range(0, customers.height, CUSTOMERS_AT_ONCE):
            some, start_of_block = customers.slice(start, CUSTOMERS_AT_ONCE), len(slates)
            for slate, own in _solved(settings, lease, desk, some, live_run):
                slates.append(slate)
                choices.append(own)
            if rules.obeyed:
                prices_of_rules.take(slates[start_of_block:], settings.threads)
            progress.update(some.height)
    changes = {"live_bundles": 0}
    if is_bounded:
        standing, share = standing_bundles(warehouse, live_run), context.params.max_change_share
        slates, changes = within_change_share(slates, choices, desk, standing, share)
    del choices
    capacity = capacity_of(slates, desk, context.params)
    coupled = _coupled(settings, context, desk, slates, capacity)
    frame, items = _rows(settings, context, lease, products, pairs, customers, coupled.slates)
    if not frame["candidates"].to_numpy().max(initial=0):
        raise DataError(f"run {lease.run_id} has no candidates: run propose_candidates for {context.as_of} first")
    warehouse.replace_run(RULE_COSTS, RULE_COSTS.frame(prices_of_rules.rows()), lease)
    warehouse.replace_run(BUNDLES, frame, lease)
    written = warehouse.replace_run(BUNDLE_ITEMS, items, lease)
    prices = shadow_prices(coupled, desk.shelf, capacity)
    if not context.params.couples_stock:
        prices = prices.clear()  # nothing was promised
    warehouse.replace_run(SHADOW_PRICES, prices, lease)
    gaps = CATALOGUE_GAPS.frame(list(_catalogue_gaps(settings, context, lease, desk, products, frame)))
    warehouse.replace_run(CATALOGUE_GAPS, gaps, lease)
    kept = sum(sum(slate.is_kept) for slate in coupled.slates)
    counts = {**_counts(frame, gaps), **changes, "replaced_bundles": changes["live_bundles"] - kept}
    if context.params.couples_stock:
        counts["stock_counted_products"] = prices.height
        counts["stock_gap_pct"] = round(gap_pct(coupled.value, coupled.upper_bound), 6)
        counts["stock_scarce_products"] = prices.filter(pl.col("shadow_price") > 0).height
    warehouse.call("ops.note_run", run_id=lease.run_id, patch={"counts": counts})
    return {"run_id": lease.run_id, "customers": customers.height, "items": written, **counts}


def _solved(
    settings: Settings, lease: Lease, desk: Desk, customers: pl.DataFrame, live_run: int
) -> Iterator[tuple[Slate, list[Option]]]:
    """Yield the slate of each customer with history and candidates, and what it would be were live bundles kept."""
    warehouse = Warehouse(settings, "ml")
    warm = customers.filter(pl.col("baskets") > 0)["customer_id"].to_list()
    slates = slates_of(warehouse, lease.run_id, desk.shelf, warm)
    live = None if live_run == NO_RUN else Live.of(*bundles_of(warehouse, live_run, warm))

    def with_options(slate: Slate) -> tuple[Slate, list[Option]]:
        best = solved(slate, desk)
        if live is None:
            return best, []
        before = live.positions(slate)
        return replace(best, live=before), options(slate.problem(desk), best.solutions, before, desk)

    yield from in_threads(with_options, slates, settings.threads)


def _coupled(settings: Settings, context: Context, desk: Desk, slates: list[Slate], capacity: Ints) -> Coupled:
    if not context.params.couples_stock:
        return uncoupled(slates, len(desk.shelf.product_ids))
    params = StockParams(threads=settings.threads, max_nodes=settings.optimizer.max_nodes, seed=context.params.seed)
    return couple(slates, desk, capacity, params)


def _rows(
    settings: Settings,
    context: Context,
    lease: Lease,
    products: pl.DataFrame,
    pairs: pl.DataFrame,
    customers: pl.DataFrame,
    slates: list[Slate],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of all customers; those without history or candidates get the reason instead of a bundle."""
    candidate_set = f"top_{settings.candidates.per_customer}"
    bundles, items = [BUNDLES.frame([])], [BUNDLE_ITEMS.frame([])]
    for start in range(0, len(slates), CUSTOMERS_AT_ONCE):
        some = slates[start : start + CUSTOMERS_AT_ONCE]
        facts = _facts(settings, context, products, pairs, some)
        rows = [rows_of(slate, facts, context.params, candidate_set) for slate in some]
        # A frame of a thousand customers at a time: rows as dictionaries take ten times the memory.
        bundles.append(BUNDLES.frame([row for own, _ in rows for row in own]))
        items.append(BUNDLE_ITEMS.frame([row for _, own in rows for row in own]))
    answered = pl.Series([slate.customer_id for slate in slates], dtype=pl.String)
    missing = customers.filter(~pl.col("customer_id").is_in(answered.implode()))
    of_missing = {"run_id": lease.run_id, "customer_id": missing["customer_id"].to_list()}
    found = Warehouse(settings, "ml").read(CANDIDATES, of_missing, ["customer_id", "product_id"])
    proposed = dict(found.group_by("customer_id").len().iter_rows())
    unanswered = []
    for customer, baskets in missing.select("customer_id", "baskets").iter_rows():
        why = abstain("no_candidates" if baskets else "cold_customer")
        number = proposed.get(customer, 0)
        unanswered.append(abstention_row(customer, why, number, context.as_of, context.params, candidate_set))
    return pl.concat([*bundles, BUNDLES.frame(unanswered)]), pl.concat(items)


def _facts(
    settings: Settings,
    context: Context,
    products: pl.DataFrame,
    pairs: pl.DataFrame,
    slates: Sequence[Slate],
) -> Facts:
    chosen, chosen_pairs = chosen_products(slates)
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
    settings: Settings, context: Context, lease: Lease, desk: Desk, products: pl.DataFrame, bundles: pl.DataFrame
) -> Iterator[Row]:
    """Yield, for a seeded sample of customers with candidates, how far the best bundle is from the catalogue's."""
    warehouse, shelf = Warehouse(settings, "ml"), desk.shelf
    first = bundles.filter(pl.col("bundle_rank") <= 1, pl.col("fallback_reason").fill_null("") != "cold_customer")
    size = min(settings.optimizer.catalogue_sample, first.height)
    if not size:
        return
    sample = first.sort("customer_id").sample(size, seed=context.params.seed).sort("customer_id")
    noted = warehouse.read_view("ops.runs", {"run_id": lease.run_id}, ["model_versions"])["model_versions"]
    champion = Tracking(settings).numbered("preference", json.loads(noted[0])["preference"])
    model = told(load_model(champion.folder), warehouse, context.as_of)
    baskets, new = warehouse.read(BASKETS, {"as_of": context.as_of}), newcomers(products, context.as_of, settings)
    shop = Shop.of(baskets, products, settings.min_product_baskets, new=new)
    requests = sample.select("customer_id", cut=context.as_of + timedelta(days=1))
    every = whole_catalogue(shop.baskets, offerable(shop.products), requests)
    preferences = pl.Series(model.score(shop.baskets, shop.products, every))
    scored = every.select("customer_id", "product_id", "basket_spread", preference=preferences)
    by_customer = {key: own for (key,), own in scored.partition_by("customer_id", as_dict=True).items()}
    for customer, objective in sample.select("customer_id", "objective").iter_rows():
        own = by_customer[customer]
        preference = np.zeros(len(shelf.product_ids))
        preference[shelf.codes(own["product_id"])] = own["preference"].to_numpy()
        spread = float(own["basket_spread"][0])
        bound = shelf.catalogue_bound(desk.policy, preference, spread, desk.limits, objective, desk.basket)
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
    lost = Counter(bundles["lost_to"].explode().drop_nulls())
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
        **mix_counts(offered),
        **{f"lost_to_{why}": lost.get(why, 0) for why in ("stock", "change_budget", "discovery")},
        "abstentions": abstained.height,
        **{f"abstained_{why}": number for why, number in sorted(Counter(abstained["fallback_reason"]).items())},
    }
