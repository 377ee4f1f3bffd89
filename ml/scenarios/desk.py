"""What a run decides with, read once; and its customers, a thousand at a time."""

from collections.abc import Sequence

import polars as pl

from ml.association.cooccurrence import CooccurrenceParams
from ml.errors import DataError
from ml.params import RunParams
from ml.policies.named import POLICIES, limits_of, search_of
from ml.policies.shelf import Shelf
from ml.scenarios.personal_rules import under
from ml.scenarios.rules import NO_RULES, Rules
from ml.scenarios.slates import Desk, Slate
from ml.settings import Settings
from ml.tables import APPLIED_RULES, CANDIDATES
from ml.warehouse import Warehouse

CUSTOMERS_AT_ONCE = 1000


def desk_of(
    settings: Settings, params: RunParams, products: pl.DataFrame, pairs: pl.DataFrame, rules: Rules = NO_RULES
) -> Desk:
    """Return what all customers of a run have in common.

    Parameters
    ----------
    rules
        The merchandiser's rules that the run obeys, of :func:`applied_rules`.

    Raises
    ------
    DataError
        When the policy weighs margins and no product has a known cost.
    """
    policy = POLICIES[params.policy]
    if params.policy == "expected_incremental_margin" and products["margin_cents"].null_count() == products.height:
        raise DataError("policy expected_incremental_margin needs costs, and no product has one: see raw.products")
    counting = CooccurrenceParams(settings.association.shrinkage, settings.association.min_pair_baskets)
    shelf = Shelf.of(products, pairs, None if policy.association == "lift" else counting)
    desk = Desk(
        shelf,
        policy,
        limits_of(params),
        shelf.roles(params.must_include, params.pinned, params.exclude),
        search_of(params, settings.optimizer.max_nodes),
        params.bundles_per_customer,
        basket=shelf.basket(params.context_basket) if params.context_basket else None,
        discovery_share=params.discovery_share,
    )
    return under(desk, params, rules)


def applied_rules(warehouse: Warehouse, run_id: int, products: pl.DataFrame) -> Rules:
    """Return the rules that a run took down when it began; what is written since is for later runs.

    Parameters
    ----------
    products
        All rows of ``features.ftr_products`` of the run's day.
    """
    return Rules.applied(warehouse.read(APPLIED_RULES, {"run_id": run_id}), products)


def slates_of(warehouse: Warehouse, run_id: int, shelf: Shelf, customers: Sequence[str]) -> list[Slate]:
    """Return the customers' candidates of a run, those on the shelf, by customer; without bundles yet."""
    columns = ["customer_id", "product_id", "preference", "sources", "candidate_rank", "basket_spread"]
    found = warehouse.read(CANDIDATES, {"run_id": run_id, "customer_id": list(customers)}, columns)
    return Slate.each(found.sort("customer_id", "candidate_rank"), shelf)
