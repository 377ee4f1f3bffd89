"""Personal bundles: a few bundles for each customer, or one row that says why there is none."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

import polars as pl

from ml.optimizer.solve import Solution
from ml.params import RunParams
from ml.reasons import ItemFacts, pair_facts, reason
from ml.scenarios.discovery import is_forced
from ml.scenarios.slates import Slate

Row = dict[str, Any]

NO_COST = "cost unknown"
LESS_EARLIER, WITHIN_OVERLAP = "_without_earlier_bundles", "_within_overlap"
"""What the certificate of a later bundle is about: the candidates that the bundles before it left, or all of them
within the overlap that is allowed."""
WITH_NEW = "_with_something_new"
"""The certificate is about bundles with a product that the customer never bought: the share of discovery wants one."""
STOCK_COUPLED = "stock_coupled"
"""Solver of bundles that the assignment of shared stock chose, whatever the form asked for."""
NO_BUNDLE = 0
"""Rank of the row that says why a customer has no bundle."""


@dataclass(frozen=True)
class Facts:
    """What the rows say beyond the solutions.

    Attributes
    ----------
    as_of
        Day the bundles are for; part of their identifiers.
    products
        Row of ``features.ftr_products`` by product.
    purchases
        (baskets, days since the last) by customer and product, of ``features.ftr_customer_products``.
    pairs
        Row of ``ml.associations`` by pair of products, the smaller identifier first.
    """

    as_of: date
    products: Mapping[str, Row]
    purchases: Mapping[tuple[str, str], tuple[int, int]]
    pairs: Mapping[tuple[str, str], Row]


def chosen_products(slates: Sequence[Slate]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the products and the pairs of products that were chosen, for fetching what is known of them.

    Returns
    -------
    tuple
        ``customer_id``, ``product_id``; and distinct ``product_a``, ``product_b``, product_a < product_b.
    """
    items: list[tuple[str, str]] = []
    pairs: set[tuple[str, str]] = set()
    for slate in slates:
        for solution in slate.solutions:
            products = sorted(slate.product_ids(solution.items))
            items += [(slate.customer_id, product) for product in products]
            pairs.update(combinations(products, 2))
    return (
        pl.DataFrame(items, schema={"customer_id": pl.String, "product_id": pl.String}, orient="row"),
        pl.DataFrame(sorted(pairs), schema={"product_a": pl.String, "product_b": pl.String}, orient="row"),
    )


def rows_of(slate: Slate, facts: Facts, params: RunParams, candidate_set: str) -> tuple[list[Row], list[Row]]:
    """Return one customer's rows of ``ml.bundles`` and of ``ml.bundle_items``, without the run.

    Parameters
    ----------
    slate
        The customer's candidates and bundles.
    candidate_set
        Name of the set that the first bundle's certificate speaks of; later ones speak of what it leaves.
    """
    customer, candidates, is_kept = slate.customer_id, len(slate.product), slate.is_kept
    bundles, items = [], []
    offered, found = 0, 0
    for rank, solution in enumerate(slate.solutions, start=1):
        if not solution.items:
            bundles.append(abstention_row(customer, solution, candidates, facts.as_of, params, candidate_set))
            continue
        later = candidate_set + (WITHIN_OVERLAP if params.max_overlap else LESS_EARLIER)
        proven_on = candidate_set if rank == 1 else later
        if is_forced(params.discovery_share, found, rank - 1, len(slate.bundles)):
            proven_on += WITH_NEW
        new_products = int((~slate.is_anchor[list(solution.items)]).sum())
        found += new_products > 0
        chosen: list[Row] = [
            {"product_id": product, "preference": float(slate.preference[place]), "sources": slate.sources(place)}
            for product, place in zip(slate.product_ids(solution.items), solution.items, strict=True)
        ]
        chosen.sort(key=lambda row: (-row["preference"], row["product_id"]))
        bundle_id = _identifier(facts.as_of, customer, rank, [row["product_id"] for row in chosen])
        products = [facts.products[row["product_id"]] for row in chosen]
        price = sum(product["price_cents"] for product in products)
        bundles.append(
            {
                **_certificate(solution, params, candidates - offered, proven_on),
                "bundle_id": bundle_id,
                "customer_id": customer,
                "bundle_rank": rank,
                "bundle_size": len(chosen),
                "list_price_cents": price,
                "bundle_price_cents": price,
                "expected_revenue_cents": solution.joint_probability * price,
                **_margin(products, price, solution.joint_probability),
                "reason": _reason(customer, chosen, facts),
                "held_back_by": slate.held_back_by[rank - 1],
                "is_kept": is_kept[rank - 1],
                "lost_to": [],
                "discovery_products": new_products,
            }
        )
        if slate.is_assigned:
            bundles[-1]["solver"] = STOCK_COUPLED
        items += [
            {
                "bundle_id": bundle_id,
                "position": position,
                "product_id": row["product_id"],
                "preference": row["preference"],
                "list_price_cents": product["price_cents"],
                "price_cents": product["price_cents"],
                "sources": row["sources"],
            }
            for position, (row, product) in enumerate(zip(chosen, products, strict=True), start=1)
        ]
        offered += 0 if params.max_overlap else len(chosen)
    bundles[-1]["lost_to"] = list(slate.lost_to)
    return bundles, items


def mix_counts(offered: pl.DataFrame) -> dict[str, Any]:
    """Return bundles and expected revenue of repeat and of discovery apart, from offered rows of ``ml.bundles``."""
    is_new = pl.col("discovery_products") > 0
    counts: dict[str, Any] = {}
    for name, own in (("repeat", offered.filter(~is_new)), ("discovery", offered.filter(is_new))):
        counts[f"{name}_bundles"] = own.height
        counts[f"{name}_expected_revenue_cents"] = round(float(own["expected_revenue_cents"].sum()), 2)
    return counts


def abstention_row(
    customer: str, solution: Solution, candidates: int, as_of: date, params: RunParams, candidate_set: str
) -> Row:
    """Return the row of ``ml.bundles`` that says why a customer has no bundle."""
    return {
        **_certificate(solution, params, candidates, candidate_set),
        "bundle_id": _identifier(as_of, customer, NO_BUNDLE, []),
        "customer_id": customer,
        "bundle_rank": NO_BUNDLE,
        "bundle_size": 0,
        "list_price_cents": 0,
        "bundle_price_cents": 0,
        "expected_revenue_cents": 0.0,
        "margin_cents": None,
        "expected_margin_cents": None,
        "margin_note": None,
        "reason": None,
        "held_back_by": None,
        "is_kept": False,
        "lost_to": [],
        "discovery_products": 0,
    }


def _certificate(solution: Solution, params: RunParams, candidates: int, candidate_set: str) -> Row:
    return {
        "policy": params.policy,
        "solver": params.solver,
        "candidate_set": candidate_set,
        "candidates": candidates,
        "objective": solution.objective,
        "upper_bound": solution.upper_bound,
        "gap_pct": solution.gap_pct,
        "status": solution.status,
        "joint_probability": solution.joint_probability,
        "fallback_reason": solution.fallback_reason,
    }


def _identifier(as_of: date, customer: str, rank: int, product_ids: Sequence[str]) -> str:
    """Return a name that the same bundle always gets, and another bundle of the same day and rank does not."""
    digest = hashlib.sha256("\0".join(sorted(product_ids)).encode()).hexdigest()[:8]
    return f"{as_of:%Y%m%d}-{customer}-{rank}" + (f"-{digest}" if product_ids else "")


def _margin(products: Sequence[Row], price: int, joint_probability: float) -> Row:
    costs = [product["cost_cents"] for product in products]
    if any(cost is None for cost in costs):
        return {"margin_cents": None, "expected_margin_cents": None, "margin_note": NO_COST}
    margin = price - sum(costs)
    return {"margin_cents": margin, "expected_margin_cents": joint_probability * margin, "margin_note": None}


def _reason(customer: str, chosen: Sequence[Row], facts: Facts) -> str:
    items = []
    for row in chosen:
        baskets, days = facts.purchases.get((customer, row["product_id"]), (0, None))
        product = facts.products[row["product_id"]]
        name = product["title"] or product["category"] or row["product_id"]
        items.append(ItemFacts(name, baskets, days, row["sources"]))
    pairs = {}
    for left, right in combinations(range(len(chosen)), 2):
        low, high = sorted((chosen[left]["product_id"], chosen[right]["product_id"]))
        if (low, high) in facts.pairs:
            pairs[left, right] = pair_facts(facts.pairs[low, high])
    return reason(items, pairs)
