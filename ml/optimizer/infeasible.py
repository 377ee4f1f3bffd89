"""Which constraints of a problem without any bundle conflict."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ml.optimizer.exact import MAX_NODES, solve_exact
from ml.optimizer.problem import UNLIMITED, BundleProblem

Lift = Callable[[BundleProblem], BundleProblem]


def conflict(problem: BundleProblem, max_nodes: int = MAX_NODES) -> str:
    """Return the reason why no bundle is feasible.

    A conflict is a set of constraints that cannot all be met, while any of them left out the others can: it is what a
    deletion filter leaves (Chinneck and Dravnieks 1991, Locating minimal infeasible constraint sets in linear
    programs, ORSA J. Comput. 3(2)). With those of one conflict set aside, the next is looked for.

    Returns
    -------
    str
        "no_candidates" when there is no bundle even without constraints; "below_threshold" when the joint probability
        alone stands in the way; else "infeasible:" and the conflicts, separated by ",", each with its constraints
        joined by "+"; "infeasible" alone where the cap on nodes left them open.
    """
    active = [name for name, _ in LIFTS]
    if not _has_bundle(problem, [], max_nodes):
        return "no_candidates"
    conflicts: list[list[str]] = []
    while not _has_bundle(problem, active, max_nodes):
        core = list(active)
        for name in active:
            others = [other for other in core if other != name]
            if not _has_bundle(problem, others, max_nodes):
                core = others
        conflicts.append(core)
        active = [name for name in active if name not in core]
    if conflicts == [["joint_probability"]]:
        return "below_threshold"
    if not conflicts:
        return "infeasible"  # a cap on the search kept the culprit from being named
    return "infeasible:" + ",".join("+".join(core) for core in conflicts)


def _has_bundle(problem: BundleProblem, active: list[str], max_nodes: int) -> bool:
    """Return whether a bundle meets the active constraints, or at least cannot be ruled out within the cap."""
    for name, lift in LIFTS:
        if name not in active:
            problem = lift(problem)
    proof = solve_exact(problem, max_nodes)
    return bool(proof.items) or proof.bound > -np.inf


def _limits(**changes: object) -> Lift:
    return lambda problem: replace(problem, limits=replace(problem.limits, **changes))  # type: ignore[arg-type]


LIFTS: tuple[tuple[str, Lift], ...] = (
    ("pinned", lambda problem: replace(problem, is_pinned=None)),
    ("must_include", _limits(needs_wanted=False)),
    ("must_include_rule", _limits(needs_ruled=False)),
    ("discovery", _limits(needs_new=False)),
    ("anchor", _limits(needs_anchor=False)),
    ("excluded", lambda problem: replace(problem, is_excluded=None)),
    ("stock", lambda problem: replace(problem, available_units=np.full(problem.candidates, UNLIMITED))),
    ("categories", _limits(min_categories=1)),
    ("category", lambda problem: _limits(max_per_category=problem.limits.max_size)(problem)),
    ("min_price", _limits(min_price_cents=0)),
    ("budget", _limits(budget_cents=None)),
    ("margin", _limits(min_margin_cents=None)),
    ("substitute", _limits(complements_only=False)),
    ("joint_probability", _limits(min_joint_probability=0.0)),
)
"""How each constraint is lifted; where several alone would do, the last ones are blamed."""
