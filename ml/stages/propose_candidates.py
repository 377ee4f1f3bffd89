"""Score each customer's candidates, and write them with the association of every pair that has evidence."""

from datetime import timedelta

import polars as pl

from ml.association.cooccurrence import load_cooccurrence
from ml.candidates import CandidateParams, propose
from ml.errors import DataError
from ml.params import Context, Counts
from ml.policies import POLICIES, offerable, shortlist
from ml.preference.load import load_model
from ml.publishing.lease import open_run
from ml.settings import Settings
from ml.tables import ASSOCIATIONS, BASKETS, CANDIDATES, CUSTOMERS, PRODUCTS
from ml.tracking import Tracking
from ml.warehouse import Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.candidates`` and ``ml.associations`` of the run.

    The champions are resolved here, once a run, and noted with it.

    Raises
    ------
    DataError
        When there are no features for the as-of date or no champion that was trained on or before it.
    """
    warehouse = Warehouse(settings, "ml")
    day = {"as_of": context.as_of}
    customers = warehouse.read(CUSTOMERS, day, ["customer_id"])
    if customers.is_empty():
        raise DataError(f"no features for {context.as_of}: run build_features for that day first")
    baskets, products = warehouse.read(BASKETS, day), warehouse.read(PRODUCTS, day)
    tracking = Tracking(settings)
    preference = tracking.champion("preference", context.as_of)
    association = tracking.champion("association", context.as_of)
    wanted = settings.candidates
    requests = customers.select("customer_id", cut=pl.lit(context.as_of + timedelta(days=1)))
    offered = offerable(products)
    found = propose(
        baskets, offered, requests, CandidateParams(popular=wanted.popular, co_purchased=wanted.co_purchased)
    )
    in_stock = offered.select("product_id", is_in_stock=pl.col("available_units").fill_null(1) > 0)
    scored = (
        found.select("customer_id", "product_id", "sources")
        .with_columns(
            preference=pl.Series(load_model(preference.folder).score(baskets, products, found)),
            is_bought_before=pl.col("sources").list.contains("bought"),
        )
        .join(in_stock, on="product_id")
    )
    ranked = shortlist(scored, wanted.per_customer, wanted.per_customer // 3).drop("is_bought_before", "is_in_stock")
    files = {path.name: path.read_bytes() for path in association.folder.iterdir() if path.is_file()}
    pairs = load_cooccurrence(files).frame(POLICIES[context.params.policy].association)
    lease = open_run(settings, context)
    versions = {"preference": preference.version.number, "association": association.version.number}
    warehouse.call(
        "ops.note_run",
        run_id=lease.run_id,
        patch={"model_versions": versions, "data_through": baskets["basket_on"].max().isoformat()},  # type: ignore[union-attr]
    )
    return {
        "customers": customers.height,
        "candidates": warehouse.replace_run(CANDIDATES, ranked, lease),
        "associations": warehouse.replace_run(ASSOCIATIONS, pairs, lease),
        "fewest_candidates": int(ranked.group_by("customer_id").len()["len"].min() or 0),  # type: ignore[call-overload]
        "run_id": lease.run_id,
    }
