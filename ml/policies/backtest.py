"""Policies on held-out baskets: each customer's best disjoint pairs under a rule, all at one size, unconstrained."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.evaluation.bundle_metrics import BundleScores, score_bundles
from ml.optimizer.limits import Limits
from ml.optimizer.problem import UNLIMITED, BundleProblem
from ml.optimizer.solve import EXACT, Solution, solve_many
from ml.policies.named import Policy
from ml.policies.shelf import Codes, Reals, Shelf


@dataclass(frozen=True)
class HeldOut:
    """One customer of a backtest: candidates with preferences as of the cut, and what the next basket held.

    Attributes
    ----------
    codes, preference
        (n,) products on the shelf and their probabilities.
    is_bought_before
        (n,) whether the customer bought the product before the cut.
    in_basket
        (n,) whether the held-out basket holds it.
    spread
        v of :mod:`ml.optimizer.objective`.
    """

    codes: Codes
    preference: Reals
    is_bought_before: NDArray[np.bool_]
    in_basket: NDArray[np.bool_]
    spread: float = 1.0


def held_out_customers(shelf: Shelf, shortlisted: pl.DataFrame) -> list[HeldOut]:
    """Return one entry a customer, ordered by customer.

    Parameters
    ----------
    shortlisted
        ``customer_id``, ``product_id``, ``preference``, ``is_bought_before``, ``is_bought``,
        ``basket_spread``; products that are not on the shelf are passed over.
    """
    known = shortlisted.filter(pl.col("product_id").is_in(list(shelf.product_ids)))
    return [
        HeldOut(
            shelf.codes(group["product_id"]),
            group["preference"].to_numpy(),
            group["is_bought_before"].to_numpy(),
            group["is_bought"].to_numpy(),
            float(group["basket_spread"][0]),
        )
        for group in known.partition_by("customer_id", maintain_order=True)
    ]


def backtest(
    shelf: Shelf,
    policy: Policy,
    customers: Sequence[HeldOut],
    is_cross_sell: bool = False,
    pairs: int = 5,
    threads: int = 1,
) -> BundleScores:
    """Offer each customer the policy's best disjoint pairs and hold them against the held-out basket.

    Parameters
    ----------
    shelf
        Made with the policy's reading of the counts.
    is_cross_sell
        Ask that at least one product of each pair was never bought by the customer before.
    pairs
        How many pairs each customer is offered; a policy that finds fewer leaves places empty.
    """
    chosen = list(choose_pairs(shelf, policy, customers, is_cross_sell, pairs, threads))
    offered = [[one.items for one in solutions if one.items] for solutions in chosen]
    claimed = [[_claimed(policy, one) for one in solutions if one.items] for solutions in chosen]
    return score_bundles(offered, claimed, [customer.in_basket for customer in customers], pairs)


def choose_pairs(
    shelf: Shelf, policy: Policy, customers: Iterable[HeldOut], is_cross_sell: bool, pairs: int, threads: int
) -> Iterator[list[Solution]]:
    """Yield each customer's best disjoint pairs under a policy, without any constraint but the size."""
    limits = Limits(max_size=2, max_per_category=2)

    def problems() -> Iterator[BundleProblem]:
        for one in customers:
            problem = shelf.problem(policy, one.codes, one.preference, limits, spread=one.spread)
            staples = one.is_bought_before[:, None] & one.is_bought_before[None, :] & is_cross_sell
            yield replace(
                problem,
                pair_values=np.where(staples, 0.0, problem.pair_values),
                available_units=np.full(problem.candidates, UNLIMITED),
            )

    return solve_many(problems(), EXACT, pairs, threads)


def _claimed(policy: Policy, solution: Solution) -> float:
    """Return the probability that the policy itself claims for a pair; ours where its worth is no probability."""
    return solution.objective if policy.is_probability else solution.joint_probability
