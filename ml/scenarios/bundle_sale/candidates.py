"""Product sets that may be sold as bundles to everybody: what many customers get, and the strongest complements."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from ml.scenarios.rules import Rules

MOST_POOLED, MOST_PAIRS, PARTNERS_OF_PIN = 300, 200, 5
"""Sets of the personal run, pairs of complements, and partners of a pinned product that are looked at."""
COMPLEMENT = "complement"


@dataclass(frozen=True, order=True)
class Candidate:
    """A set of products, ascending, and how many customers have it as a personal bundle."""

    product_ids: tuple[str, ...]
    customers: int = 0


def candidate_sets(
    bundles: pl.DataFrame,
    items: pl.DataFrame,
    pairs: pl.DataFrame,
    sellable: pl.DataFrame,
    rules: Rules,
    max_size: int,
) -> list[Candidate]:
    """Return the sets that the rules allow, by products.

    Parameters
    ----------
    bundles, items
        Offered rows of ``ml.bundles`` and rows of ``ml.bundle_items`` of the personal run.
    pairs
        Rows of ``ml.associations``.
    sellable
        ``product_id``, ``category``, ``price_cents`` of what can be sold in a bundle; a product whose list price lies
        below a floor of the rules is in none.
    max_size
        Products of the largest bundle.
    """
    price = dict(sellable.select("product_id", "price_cents").iter_rows())
    too_cheap = [product for product, floor in rules.floor_cents.items() if price.get(product, floor) < floor]
    allowed = sellable.filter(~pl.col("product_id").is_in([*rules.excluded, *too_cheap]))
    category = dict(allowed.select("product_id", pl.coalesce("category", "product_id")).iter_rows())
    known = pairs.filter(pl.col("product_a").is_in(list(category)), pl.col("product_b").is_in(list(category)))
    substitutes = set(known.filter(pl.col("relation") == "substitute").select("product_a", "product_b").iter_rows())
    found: dict[tuple[str, ...], int] = {}
    for products, customers in [*_personal(bundles, items, max_size), *((pair, 0) for pair in _pairs(known, rules))]:
        if _is_sound(products, category, substitutes, rules):
            found[products] = max(found.get(products, 0), customers)
    return [Candidate(*one) for one in sorted(found.items())]


def _personal(bundles: pl.DataFrame, items: pl.DataFrame, max_size: int) -> list[tuple[tuple[str, ...], int]]:
    """Return the sets that most customers get, with how many do."""
    held = items.join(bundles.select("bundle_id", "customer_id"), on="bundle_id")
    sets = held.group_by("bundle_id", "customer_id").agg(products=pl.col("product_id").sort())
    tally = (
        sets.filter(pl.col("products").list.len().is_between(2, max_size))
        .group_by("products")
        .agg(customers=pl.col("customer_id").n_unique())
        .sort("customers", "products", descending=[True, False])
        .head(MOST_POOLED)
    )
    return [(tuple(products), customers) for products, customers in tally.iter_rows()]


def _pairs(known: pl.DataFrame, rules: Rules) -> list[tuple[str, str]]:
    """Return the pairs that most often meet beyond chance, and the best partners of each pinned product."""
    surplus = pl.col("pair_baskets") - pl.col("expected_baskets")
    # Where the rules pin a product it must find a bundle, so its undecided partners are good enough.
    likely = known.filter(pl.col("relation") != "substitute").sort(
        surplus, "product_a", "product_b", descending=[True, False, False]
    )
    best = likely.filter(pl.col("relation") == COMPLEMENT).head(MOST_PAIRS)
    chosen = list(best.select("product_a", "product_b").iter_rows())
    for product in rules.pinned:
        own = likely.filter((pl.col("product_a") == product) | (pl.col("product_b") == product))
        if rules.must_include and product not in rules.must_include:
            wanted = list(rules.must_include)
            own = own.filter(pl.col("product_a").is_in(wanted) | pl.col("product_b").is_in(wanted))
        chosen += list(own.head(PARTNERS_OF_PIN).select("product_a", "product_b").iter_rows())
    return chosen


def _is_sound(
    products: Sequence[str], category: dict[str, str], substitutes: set[tuple[str, str]], rules: Rules
) -> bool:
    if not all(product in category for product in products):
        return False
    if rules.must_include and not set(products) & set(rules.must_include):
        return False
    if len({category[product] for product in products}) < len(products):
        return False
    return not any(pair in substitutes for pair in combinations(products, 2))
