"""Named policies: a reading of the pair counts and an objective on it.

They are compared with the same preferences, the same candidates and at the same size, so that only the rule differs.
"""

from dataclasses import dataclass

from ml.association.cooccurrence import Kind
from ml.optimizer.objective import (
    PairObjective,
    favourite_times_association,
    independent_purchase,
    joint_purchase,
    pairwise_sum,
)
from ml.optimizer.problem import Limits
from ml.params import RunParams

OURS = "expected_joint_purchase"
BASELINE = "frequently_bought_together"


@dataclass(frozen=True)
class Policy:
    """A rule that turns preferences and associations into bundles.

    Attributes
    ----------
    association
        Which reading of the counts the objective gets.
    objective
        What a pair is worth.
    is_probability
        Whether that worth is meant as the probability that both are bought.
    """

    association: Kind
    objective: PairObjective
    is_probability: bool


POLICIES: dict[str, Policy] = {
    OURS: Policy("lift", joint_purchase, True),
    "independence": Policy("evidence", independent_purchase, True),
    "pairwise_sum": Policy("cosine", pairwise_sum, False),
    BASELINE: Policy("population_lift", favourite_times_association, False),
}


def limits_of(params: RunParams) -> Limits:
    """Return the constraints that a run's form asks for."""
    return Limits(
        max_size=params.bundle_size,
        budget_cents=params.budget_cents,
        max_per_category=params.max_per_category,
        cost_per_product=params.cost_per_product,
        min_joint_probability=params.min_joint_probability,
    )
