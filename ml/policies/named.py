"""Named policies: a reading of the pair counts and an objective on it.

They are compared with the same preferences, the same candidates and at the same size, so that only the rule differs.
"""

from dataclasses import dataclass

from ml.association.cooccurrence import Kind
from ml.optimizer.limits import Limits
from ml.optimizer.objective import Objective
from ml.optimizer.solve import Search
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
    objective: Objective
    is_probability: bool


POLICIES: dict[str, Policy] = {
    OURS: Policy("lift", Objective.EXPECTED_JOINT_PURCHASE, True),
    "expected_incremental_margin": Policy("lift", Objective.EXPECTED_INCREMENTAL_MARGIN, False),
    "independence": Policy("evidence", Objective.INDEPENDENT_PURCHASE, True),
    "pairwise_sum": Policy("cosine", Objective.PAIRWISE_SUM, False),
    BASELINE: Policy("population_lift", Objective.FAVOURITE_TIMES_ASSOCIATION, False),
}
COMPARED = tuple(name for name in POLICIES if name != "expected_incremental_margin")
"""Those whose aim is to name what is bought together; margin is another aim, and many shops do not give it."""


def limits_of(params: RunParams) -> Limits:
    """Return the constraints that a run's form asks for."""
    return Limits(
        min_size=params.min_bundle_size,
        max_size=params.bundle_size,
        min_price_cents=params.min_price_cents,
        budget_cents=params.budget_cents,
        min_margin_cents=params.min_margin_cents,
        max_per_category=params.max_per_category,
        min_categories=params.min_categories,
        needs_anchor=params.needs_anchor,
        needs_wanted=bool(params.must_include),
        complements_only=params.complements_only,
        cost_per_product=params.cost_per_product,
        min_joint_probability=params.min_joint_probability,
        max_overlap=params.max_overlap,
    )


def search_of(params: RunParams, max_nodes: int) -> Search:
    """Return how a run searches for its bundles."""
    return Search(params.solver, params.seed, max_nodes)
