"""A bundle problem as a linear program in binary variables, for solvers that know nothing of bundles.

One variable says of each product whether it is chosen, one of each pair of any value that both are: the linearisation
of Glover and Woolsey (1974), Converting the 0-1 polynomial programming problem to a 0-1 linear program, Operations
Research 22(1). Since no pair is worth less than nothing, it is enough that the pair's variable is at most each of the
two. With them stands what makes it tight: the pairs of a product are at most one less than the bundle
(Adams and Sherali 1986, A tight linearization and an algorithm for zero-one quadratic programming problems,
Management Science 32(10)).

It is written from :class:`ml.optimizer.problem.BundleProblem` alone, not from the compiled rules, so that it can judge
them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.optimizer.problem import BundleProblem
from ml.optimizer.rules import UNKNOWN_MARGIN

UNBOUNDED = 2**62


@dataclass
class LinearProgram:
    """Maximise ``gain @ x`` over binary x with ``low <= sum of coefficients x <= high`` in each row.

    Attributes
    ----------
    products
        The first so many variables stand for the candidates.
    gain
        (variables,) objective.
    starts, columns, coefficients
        Rows: row r holds ``columns[starts[r]:starts[r + 1]]`` with integer coefficients.
    low, high
        Limits of each row, integers; ``UNBOUNDED`` away from 0 for none.
    """

    products: int
    gain: NDArray[np.float64]
    starts: list[int] = field(default_factory=lambda: [0])
    columns: list[int] = field(default_factory=list)
    coefficients: list[int] = field(default_factory=list)
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)

    def row(
        self, columns: Iterable[int], coefficients: Iterable[int] | int, low: int = -UNBOUNDED, high: int = UNBOUNDED
    ) -> None:
        """Add a row; one number as coefficient stands for all."""
        self.columns.extend(columns)
        added = len(self.columns) - self.starts[-1]
        self.coefficients.extend([coefficients] * added if isinstance(coefficients, int) else coefficients)
        self.starts.append(len(self.columns))
        self.low.append(low)
        self.high.append(high)


def linear_program(problem: BundleProblem) -> LinearProgram:
    """Return the linear program of a problem.

    Raises
    ------
    ValueError
        When the problem asks for a least joint probability, which is not linear.
    """
    limits, n = problem.limits, problem.candidates
    if limits.min_joint_probability > 0:
        raise ValueError("a least joint probability is not linear in the products and pairs")
    first, second = np.nonzero(np.triu(problem.pair_values, 1))
    own = np.zeros(n) if problem.product_values is None else problem.product_values
    codes, category = np.unique(problem.category, return_inverse=True)
    kinds = len(codes) if limits.min_categories > 1 else 0
    gain = np.concatenate([own - limits.cost_per_product, problem.pair_values[first, second], np.zeros(kinds)])
    program = LinearProgram(n, gain)
    everything = range(n)

    program.row(everything, 1, limits.min_size, limits.max_size)
    highest = UNBOUNDED if limits.budget_cents is None else limits.budget_cents
    program.row(everything, problem.price_cents.tolist(), limits.min_price_cents, highest)
    for code in range(len(codes)):
        members = np.flatnonzero(category == code).tolist()
        if len(members) > limits.max_per_category:
            program.row(members, 1, high=limits.max_per_category)
        if kinds:  # counted only where one of its products is chosen
            program.row([*members, n + len(first) + code], [*[1] * len(members), -1], low=0)
    if kinds:
        program.row(range(n + len(first), n + len(first) + kinds), 1, low=limits.min_categories)
    if limits.needs_anchor:
        program.row(_positions(problem.is_anchor), 1, low=1)
    if limits.needs_wanted:
        program.row(_positions(problem.is_wanted), 1, low=1)
    if limits.needs_ruled:
        program.row(_positions(problem.is_ruled), 1, low=1)
    if limits.needs_new:
        program.row(_positions(problem.is_new), 1, low=1)
    for bundle in problem.earlier:
        program.row(bundle, 1, high=limits.max_overlap)
    for item in _positions(problem.is_pinned):
        program.row([item], 1, low=1)
    for item in {*_positions(problem.is_excluded), *_positions(problem.available_units == 0)}:
        program.row([item], 1, high=0)
    if limits.min_margin_cents is not None:
        _margin_floor(program, problem, limits.min_margin_cents)
    if limits.complements_only and problem.is_substitute is not None:
        for a, b in np.argwhere(np.triu(problem.is_substitute, 1)).tolist():
            program.row([a, b], 1, high=1)
    _couple(program, first.tolist(), second.tolist(), limits.max_size)
    return program


def _margin_floor(program: LinearProgram, problem: BundleProblem, floor: int) -> None:
    margin, n = problem.margin_cents, problem.candidates
    is_known = np.zeros(n, bool) if margin is None else margin != UNKNOWN_MARGIN
    known = np.flatnonzero(is_known).tolist()
    program.row(known, [] if margin is None else margin[known].tolist(), low=floor)
    for item in _positions(~is_known):
        program.row([item], 1, high=0)


def _couple(program: LinearProgram, first: list[int], second: list[int], max_size: int) -> None:
    """Let a pair count only with both of its products, and a product only with as many pairs as the bundle has room."""
    pairs_of: list[list[int]] = [[] for _ in range(program.products)]
    for pair, (a, b) in enumerate(zip(first, second, strict=True), start=program.products):
        program.row([pair, a], [1, -1], high=0)
        program.row([pair, b], [1, -1], high=0)
        pairs_of[a].append(pair)
        pairs_of[b].append(pair)
    for item, pairs in enumerate(pairs_of):
        if len(pairs) >= max_size:
            program.row([*pairs, item], [*[1] * len(pairs), 1 - max_size], high=0)


def _positions(flags: NDArray[np.bool_] | None) -> list[int]:
    return [] if flags is None else np.flatnonzero(flags).tolist()
