"""The named policies, and the limits a run's form asks for."""

from ml.params import DECLARATION, RunParams
from ml.policies.named import BASELINE, OURS, POLICIES, limits_of


def test_every_policy_of_the_form_exists_and_no_other() -> None:
    assert set(POLICIES) == set(DECLARATION["policy"]["enum"])
    assert {OURS, BASELINE} <= set(POLICIES)
    assert DECLARATION["policy"]["default"] == OURS


def test_only_probabilities_claim_to_be_probabilities() -> None:
    assert {name for name, policy in POLICIES.items() if policy.is_probability} == {OURS, "independence"}


def test_the_limits_are_those_of_the_form() -> None:
    params = RunParams(
        bundle_size=2, budget_cents=700, max_per_category=2, cost_per_product=0.01, min_joint_probability=0.02
    )
    limits = limits_of(params)
    assert not limits.needs_wanted and limits_of(RunParams(must_include=("a",))).needs_wanted
    assert (limits.min_size, limits.max_size, limits.budget_cents) == (2, 2, 700)
    assert (limits.max_per_category, limits.cost_per_product, limits.min_joint_probability) == (2, 0.01, 0.02)
