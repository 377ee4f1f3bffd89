"""Score each customer's candidates, and write them with the association of every pair that has evidence.

New products have none; a bounded number of them takes part with an estimate (:mod:`ml.association.backoff`).

What the merchandiser wants in bundles is proposed to everybody, and so is what completes the basket of the form. The
rules are read here, once: every later stage of the run goes by what is taken down now.

The products of the shop's own bundles are scored too; they are kept beside the candidates, so that what is given to the
optimizer does not depend on them.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import polars as pl
from tqdm import tqdm

from ml.association.backoff import load_back_off
from ml.association.cooccurrence import load_cooccurrence
from ml.association.substitutes import load_relations
from ml.candidates import propose
from ml.errors import DataError
from ml.params import Context, Counts
from ml.policies.basket import completing
from ml.policies.named import POLICIES, Policy
from ml.policies.shelf import offerable, shortlist
from ml.preference.contract import Listener, PreferenceModel, tell
from ml.preference.load import load_model
from ml.publishing.lease import open_run
from ml.publishing.published import published_bundles
from ml.scenarios.given import beside, given_products, without_given
from ml.scenarios.ground import used_days
from ml.scenarios.live import Live
from ml.scenarios.personal_rules import obeyed_beside
from ml.scenarios.rules import Rules
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    ASSOCIATIONS,
    BASKETS,
    CANDIDATES,
    CUSTOMERS,
    GIVEN_BUNDLES,
    GIVEN_CANDIDATES,
    MERCH_RULES,
    PRODUCT_FACTS,
    PRODUCTS,
)
from ml.tracking import Tracking
from ml.training import Shop, candidate_params, newcomers, told
from ml.versions import lineage_of
from ml.warehouse import Warehouse

CUSTOMERS_AT_ONCE = 1000
"""Some 500 candidates each before the shortlist, 40 features a candidate: keeps the features near 100 MB."""


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.candidates``, ``ml.given_candidates``, ``ml.associations`` and ``ml.applied_rules`` of the run.

    The champions are resolved here, once a run, and noted with it.

    Raises
    ------
    DataError
        When there are no features for the as-of date or their build has not ended well, nothing to offer, no champion
        that was trained on or before it, an unknown product in the basket of the form, or the form contradicts the
        merchandiser's rules.
    """
    warehouse = Warehouse(settings, "ml")
    day = {"as_of": context.as_of}
    customers = warehouse.read(CUSTOMERS, day, ["customer_id"])["customer_id"]
    if customers.is_empty():
        raise DataError(f"no features for {context.as_of}: run build_features for that day first")
    invocation = warehouse.dbt_invocation(context.as_of)
    known = warehouse.read(PRODUCTS, day, PRODUCT_FACTS)
    new = newcomers(known, context.as_of, settings)
    shop = Shop.of(warehouse.read(BASKETS, day), known, settings.min_product_baskets, new=new)
    baskets, products = shop.baskets, shop.products
    offered = offerable(products)
    if baskets.is_empty() or offered.is_empty():
        raise DataError(
            f"nothing can be offered on {context.as_of}: of {known.height} products {products.height} were bought in"
            f" {settings.min_product_baskets} baskets (BUNDLES_MIN_PRODUCT_BASKETS) or launched lately, and of these"
            f" {offered.height} are on sale, have a price and may be in a bundle; what is published stays"
        )
    rules = _rules(warehouse, context, known, offered)
    tracking = Tracking(settings)
    preference = tracking.champion("preference", context.as_of)
    association = tracking.champion("association", context.as_of)
    lease = open_run(settings, context)
    patch = {
        **lineage_of(preference.version, association.version),
        "data_through": str(baskets["basket_on"].max()),
        "dbt_invocation_id": invocation,
    }
    warehouse.call("ops.note_run", run_id=lease.run_id, patch=patch)

    model = told(load_model(preference.folder), warehouse, context.as_of)
    given = given_products(warehouse.read(GIVEN_BUNDLES, day), offered["product_id"], context.params.bundle_size)
    files = {path.name: path.read_bytes() for path in association.folder.iterdir()}
    pairs = load_relations(files).mark(_associated(files, POLICIES[context.params.policy], products, new))
    basket = context.params.context_basket
    wanted = [*rules.pinned, *rules.must_include, *completing(pairs, basket, offered["product_id"])]
    asked = _asked(warehouse, context, customers, wanted)
    parts = list(_scored(settings, context, baskets, products, customers, model, asked, given))
    candidates, beside_them = (pl.concat(frames) for frames in zip(*parts, strict=True))
    held = pl.DataFrame({"product_id": basket}, schema={"product_id": pl.String})
    among = pl.concat([candidates.select("product_id"), given, held]).unique()
    pairs = pairs.join(among, left_on="product_a", right_on="product_id", how="semi").join(
        among, left_on="product_b", right_on="product_id", how="semi"
    )
    return {
        "run_id": lease.run_id,
        "customers": customers.len(),
        "candidates": warehouse.replace_run(CANDIDATES, candidates, lease),
        "given_candidates": warehouse.replace_run(GIVEN_CANDIDATES, beside_them, lease),
        "associations": warehouse.replace_run(ASSOCIATIONS, pairs, lease),
        "fewest_candidates": int(candidates.group_by("customer_id").len()["len"].to_numpy().min(initial=2**31)),
        "new_products": new.len(),
        "products_without_price": products.filter("is_bundleable").height - offered.height,
        "rules": warehouse.replace_run(APPLIED_RULES, APPLIED_RULES.frame(rules.rows()), lease),
    }


def _rules(warehouse: Warehouse, context: Context, known: pl.DataFrame, offered: pl.DataFrame) -> Rules:
    """Return the merchandiser's rules as the run obeys them, once the form's basket holds known products only."""
    params = context.params
    if unknown := sorted(set(params.context_basket) - set(known["product_id"])):
        raise DataError(f"context_basket: unknown products: {', '.join(unknown)}; see dim_products")
    in_force = Rules.of(warehouse.read(MERCH_RULES), known, used_days(context)[0], params.scenario)
    return obeyed_beside(params, in_force, dict(offered.select("product_id", "price_cents").iter_rows()))


def _associated(files: Mapping[str, bytes], policy: Policy, products: pl.DataFrame, new: pl.Series) -> pl.DataFrame:
    """Return the policy's association of counted pairs; by lift, also what is estimated for pairs of new products."""
    pairs, back_off = load_cooccurrence(files).frame(policy.association), load_back_off(files)
    if back_off is None or policy.association != "lift":
        return pairs
    return pl.concat([pairs, back_off.frame(products.sort("product_id"), new, pairs)])


def _asked(warehouse: Warehouse, context: Context, customers: pl.Series, wanted: list[str]) -> pl.DataFrame:
    """Return what form and rules want in bundles, for everybody, and what live bundles hold where only some may go."""
    params, text = context.params, {"product_id": pl.String}
    named = pl.DataFrame({"product_id": [*params.must_include, *params.pinned, *wanted]}, schema=text)
    asked = pl.DataFrame({"customer_id": customers}).join(named.unique(), how="cross")
    if params.max_change_share >= 1:
        return asked
    live = Live.of(*published_bundles(warehouse, params.scenario)).products()
    return pl.concat([asked, live]).unique()


def _scored(
    settings: Settings,
    context: Context,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    customers: pl.Series,
    model: PreferenceModel,
    asked: pl.DataFrame,
    given: pl.DataFrame,
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the shortlists of a thousand customers at a time, and the given products that they lack."""
    wanted, params = settings.candidates, candidate_params(settings)
    events = model.events if isinstance(model, Listener) else None
    offered = offerable(products)
    in_stock = offered.select("product_id", is_in_stock=pl.col("available_units").fill_null(1) > 0)
    with tqdm(total=customers.len(), unit="customer", disable=None) as progress:
        for start in range(0, customers.len(), CUSTOMERS_AT_ONCE):
            some = customers.slice(start, CUSTOMERS_AT_ONCE)
            requests = pl.DataFrame({"customer_id": some}).with_columns(cut=context.as_of + timedelta(days=1))
            own = asked.join(requests, on="customer_id", how="semi")
            whole = pl.concat([own, requests.select("customer_id").join(given, how="cross")]).unique()
            found = propose(baskets, offered, requests, params, whole)
            if events is not None:  # a model reads all it is told, for each block anew
                tell(model, events.join(requests, on="customer_id", how="semi", maintain_order="left"))
            preference = pl.Series(model.score(baskets, products, found))
            scored = found.select("customer_id", "product_id", "sources", "basket_spread", preference=preference)
            searched = without_given(scored, own).with_columns(
                is_bought_before=pl.col("sources").list.contains("bought")
            )
            shorter = shortlist(searched.join(in_stock, on="product_id"), wanted.per_customer)
            yield (
                shorter.drop("is_bought_before", "is_in_stock", "is_asked"),
                beside(scored, shorter, given, wanted.per_customer),
            )
            progress.update(some.len())
