"""Say why a bundle is, or is not, what a customer gets: its value and rank, or what it breaks, and its cost."""

import json
from typing import Any

import polars as pl

from ml.errors import ConfigError, DataError
from ml.optimizer.solve import EXACT, solve
from ml.optimizer.why_not import why_not
from ml.params import Context, Counts, RunParams
from ml.publishing.published import published_bundles
from ml.scenarios.desk import desk_of, slates_of
from ml.scenarios.live import Live
from ml.scenarios.slates import Desk, Slate
from ml.settings import Settings
from ml.tables import ASSOCIATIONS, PRODUCTS
from ml.warehouse import Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Write a row of ``ml.why_not`` about the published run, and return it.

    The run is asked with the values it was made with, not with those of this command line.

    Raises
    ------
    ConfigError
        When customer or products are missing, or there are too few or too many products.
    DataError
        When nothing is published, or the run knows no such customer.
    """
    question = context.question
    if question is None or len(set(question.products)) < 2:
        raise ConfigError("explain_bundle needs --customer and two or more different --products")
    warehouse = Warehouse(settings, "ml")
    wanted = {"scope": context.params.scenario}
    published = warehouse.read_view("ops.published", wanted, ["run_id"])["run_id"].to_list()
    if not published:
        raise DataError(f"nothing is published for scenario {context.params.scenario} yet; run the chain first")
    ((as_of, noted),) = warehouse.read_view("ops.runs", {"run_id": published[0]}, ["as_of", "params"]).iter_rows()
    params = RunParams.recorded(json.loads(noted))
    products = warehouse.read(PRODUCTS, {"as_of": as_of})
    if products.is_empty():
        raise DataError(f"the features of {as_of} are gone; build_features for that day brings them back")
    products = products.filter(pl.col("baskets") >= settings.min_product_baskets)
    pairs = warehouse.read(ASSOCIATIONS, {"run_id": published[0]}).drop("run_id")
    desk = desk_of(settings, params, products, pairs)
    slates = slates_of(warehouse, published[0], desk.shelf, [question.customer])
    if not slates:
        raise DataError(f"run {published[0]} has no candidates for customer {question.customer!r}")
    live = Live.of(*published_bundles(warehouse, context.params.scenario))
    row = _answer(slates[0], sorted(set(question.products)), desk, live)
    warehouse.call("ops.record_why_not", run_id=published[0], customer_id=question.customer, answer=row)
    return {"run_id": published[0], "customer": question.customer, **{k: _text(v) for k, v in row.items()}}


def _answer(slate: Slate, product_ids: list[str], desk: Desk, live: Live) -> dict[str, Any]:
    offered = live.bundles.get(slate.customer_id, [])
    rank = next((number for number, own in enumerate(offered, start=1) if sorted(own) == product_ids), None)
    items = slate.positions(product_ids)
    problem = slate.problem(desk)
    if items is None or len(product_ids) > desk.limits.max_size:
        missing = sorted(set(product_ids) - set(slate.candidates["product_id"]))
        unknown = [product for product in missing if product not in desk.shelf.code]
        detail = (
            f"no candidate of this customer: {', '.join(missing)}" if missing else "more products than a bundle holds"
        )
        if unknown:
            detail += f"; not offered by the shop on that day: {', '.join(unknown)}"
        verdict = "not_a_candidate" if missing else "infeasible"
        return {
            "product_ids": product_ids,
            "verdict": verdict,
            "bundle_rank": None,
            "objective": None,
            "best_objective": solve(problem, EXACT).objective,
            "cost_of_forcing": None,
            "binding": [] if missing else ["size"],
            "detail": detail,
        }
    found = why_not(problem, items, rank is not None, desk.search)
    detail = {
        "offered": f"offered as bundle {rank}",
        "ranked_lower": f"{(found.rank or 1) - 1} allowed bundles are worth more",
        "infeasible": f"breaks {', '.join(found.binding)}",
    }[found.verdict]
    return {
        "product_ids": product_ids,
        "verdict": found.verdict,
        "bundle_rank": rank if rank is not None else found.rank,
        "objective": found.objective,
        "best_objective": found.best_objective,
        "cost_of_forcing": found.cost_of_forcing,
        "binding": list(found.binding),
        "detail": detail,
    }


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
