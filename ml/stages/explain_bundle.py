"""Say why a bundle is, or is not, what a customer gets: its value and rank, or what it breaks, and its cost."""

import json

from ml.errors import ConfigError, DataError
from ml.params import Context, Counts, RunParams
from ml.publishing.published import NO_RUN, published_run
from ml.scenarios.desk import applied_rules, desk_of, slates_of
from ml.scenarios.explained import Shown, answer
from ml.settings import Settings
from ml.tables import ASSOCIATIONS, BUNDLE_ITEMS, BUNDLES, PRODUCT_FACTS, PRODUCTS, SHADOW_PRICES
from ml.training import with_evidence
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
    run_id = published_run(warehouse, context.params.scenario)
    if run_id == NO_RUN:
        raise DataError(f"nothing is published for scenario {context.params.scenario} yet; run the chain first")
    ((as_of, noted),) = warehouse.read_view("ops.runs", {"run_id": run_id}, ["as_of", "params"]).iter_rows()
    params = RunParams.recorded(json.loads(noted))
    products = warehouse.read(PRODUCTS, {"as_of": as_of}, PRODUCT_FACTS)
    if products.is_empty():
        raise DataError(f"the features of {as_of} are gone; build_features for that day brings them back")
    rules = applied_rules(warehouse, run_id, products)
    products = with_evidence(products, as_of, settings)
    pairs = warehouse.read(ASSOCIATIONS, {"run_id": run_id}).drop("run_id")
    desk = desk_of(settings, params, products, pairs, rules)
    slates = slates_of(warehouse, run_id, desk.shelf, [question.customer])
    if not slates:
        raise DataError(f"run {run_id} has no candidates for customer {question.customer!r}")
    row = answer(slates[0], sorted(set(question.products)), desk, _shown(warehouse, run_id, question.customer))
    warehouse.call("ops.record_why_not", run_id=run_id, customer_id=question.customer, answer=row)
    return {"run_id": run_id, "customer": question.customer, **{k: _text(v) for k, v in row.items()}}


def _shown(warehouse: Warehouse, run_id: int, customer: str) -> Shown:
    bundles = warehouse.read(BUNDLES, {"run_id": run_id, "customer_id": customer})
    items = warehouse.read(BUNDLE_ITEMS, {"run_id": run_id, "bundle_id": bundles["bundle_id"].to_list()})
    return Shown.of(bundles, items, warehouse.read(SHADOW_PRICES, {"run_id": run_id}))


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
