"""Personal bundles: a few disjoint bundles for each customer, or one row that says why there is none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from ml.optimizer.problem import Limits
from ml.optimizer.solve import Solution, solve_many
from ml.params import RunParams
from ml.policies import POLICIES, Shelf
from ml.reasons import PairFacts, reason

Row = dict[str, object]
NO_COST = "cost unknown"


@dataclass(frozen=True)
class Facts:
    """What the rows say beyond the solution.

    Attributes
    ----------
    products
        Row of ``features.ftr_products`` by product.
    pairs
        (baskets with both, lift) by pair of products, the smaller key first.
    candidate_set
        Name of the set the certificates speak of.
    """

    products: Mapping[str, Row]
    pairs: Mapping[tuple[str, str], tuple[int, float]]
    candidate_set: str


def limits_of(params: RunParams) -> Limits:
    """Return the constraints that the run's form asks for."""
    return Limits(
        2,
        params.bundle_size,
        params.budget_cents,
        params.max_per_category,
        params.cost_per_product,
        params.min_joint_probability,
    )


def solve_customers(
    shelf: Shelf, candidates: pl.DataFrame, params: RunParams, threads: int
) -> Iterator[tuple[pl.DataFrame, list[Solution]]]:
    """Yield each customer's candidates (by rank) with their solutions, best first.

    Each bundle is certified given that the products of the ones before it are gone; see ``solve_disjoint``.
    """
    policy, limits = POLICIES[params.policy], limits_of(params)
    known = candidates.filter(pl.col("product_id").is_in(list(shelf.product_ids)))
    groups = known.sort("customer_id", "candidate_rank").partition_by("customer_id", maintain_order=True)
    problems = (
        shelf.problem(policy, shelf.codes(group["product_id"]), group["preference"].to_numpy(), limits)
        for group in groups
    )
    yield from zip(groups, solve_many(problems, params.solver, params.bundles_per_customer, threads), strict=True)


def rows_of(
    group: pl.DataFrame, solutions: Sequence[Solution], facts: Facts, params: RunParams
) -> tuple[list[Row], list[Row]]:
    """Return the rows of ``ml.bundles`` and ``ml.bundle_items`` (without the run) of one customer."""
    customer = str(group["customer_id"][0])
    bundles: list[Row] = []
    items: list[Row] = []
    for rank, solution in enumerate(solutions, start=1):
        bundle_id = f"{customer}-{rank if solution.items else 0}"
        chosen = [group.row(position, named=True) for position in solution.items]
        chosen.sort(key=lambda row: (-row["preference"], row["product_id"]))
        prices = [_cents(facts.products[row["product_id"]]["price_cents"]) for row in chosen]
        bundles.append(
            {
                "bundle_id": bundle_id,
                "customer_id": customer,
                "bundle_rank": rank if chosen else 0,
                "policy": params.policy,
                "solver": params.solver,
                "candidate_set": facts.candidate_set,
                "candidates": group.height,
                "bundle_size": len(chosen),
                "objective": solution.objective,
                "upper_bound": solution.upper_bound,
                "gap_pct": solution.gap_pct,
                "status": solution.status,
                "joint_probability": solution.joint_probability,
                "list_price_cents": sum(prices),
                "bundle_price_cents": sum(prices),
                "expected_revenue_cents": solution.joint_probability * sum(prices),
                **_margin([row["product_id"] for row in chosen], solution.joint_probability, facts),
                "reason": _reason(chosen, facts) if chosen else None,
                "fallback_reason": solution.fallback_reason,
            }
        )
        items += [
            {
                "bundle_id": bundle_id,
                "position": position,
                "product_id": row["product_id"],
                "preference": row["preference"],
                "list_price_cents": price,
                "price_cents": price,
                "sources": row["sources"],
            }
            for position, (row, price) in enumerate(zip(chosen, prices, strict=True), start=1)
        ]
    return bundles, items


def abstention(customer: str, facts: Facts, params: RunParams) -> Row:
    """Return the row of a customer for whom nothing could be proposed."""
    nothing = Solution((), 0.0, 0.0, 0.0, "abstained", 0.0, "no_candidates")
    group = pl.DataFrame({"customer_id": [customer]})
    (row,), _ = rows_of(group, [nothing], facts, params)
    return {**row, "candidates": 0}


def _margin(product_ids: Sequence[str], probability: float, facts: Facts) -> Row:
    margins = [facts.products[product]["margin_cents"] for product in product_ids]
    if not margins or any(margin is None for margin in margins):
        return {"margin_cents": None, "expected_margin_cents": None, "margin_note": NO_COST if margins else None}
    total = sum(_cents(margin) for margin in margins)
    return {"margin_cents": total, "expected_margin_cents": probability * total, "margin_note": None}


def _reason(chosen: Sequence[Row], facts: Facts) -> str:
    named = {str(row["product_id"]): _title(facts.products[str(row["product_id"])]) for row in chosen}
    own = [named[str(row["product_id"])] for row in chosen if "bought" in list(row["sources"])]  # type: ignore[call-overload]
    new = [named[str(row["product_id"])] for row in chosen if "bought" not in list(row["sources"])]  # type: ignore[call-overload]
    seen = [(pair, facts.pairs[pair]) for pair in combinations(sorted(named), 2) if pair in facts.pairs]
    if not seen:
        return reason(own, new, None)
    (left, right), (baskets, lift) = max(seen, key=lambda one: (one[1][1], one[0]))
    return reason(own, new, PairFacts((named[left], named[right]), baskets, lift))


def _title(product: Row) -> str:
    return str(product["title"] or product["category"] or product["product_id"])


def _cents(value: object) -> int:
    return int(value)  # type: ignore[call-overload, no-any-return]
