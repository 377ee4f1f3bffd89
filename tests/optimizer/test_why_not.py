"""Why not this bundle: value, rank, what it breaks, what forcing it costs; all against trying everything."""

import numpy as np
import pytest

from ml.optimizer.why_not import why_not
from tests.optimizer.problems import breaks, feasible_bundles, random_limits, random_problem


def test_the_answer_is_that_of_trying_everything() -> None:
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(200):
        problem = random_problem(rng, 8, random_limits(rng, 4, roles=True), roles=True)
        every = feasible_bundles(problem)
        size = int(rng.integers(problem.limits.min_size, problem.limits.max_size + 1))
        items = tuple(sorted(int(item) for item in rng.choice(8, size, replace=False)))
        found = why_not(problem, items)
        seen.add(bool(found.binding))
        best = max(every[0][0], 0.0) if every else 0.0
        holding = [value for value, bundle in every if set(items) <= set(bundle)]
        assert found.objective == pytest.approx(problem.value(items))
        assert found.best_objective == pytest.approx(best)
        if holding:
            assert found.cost_of_forcing == pytest.approx(best - max(holding))
        else:
            assert found.cost_of_forcing is None
        assert set(found.binding) == breaks(problem, items)
        if found.binding:
            assert found.rank is None and found.better is None
        else:
            assert found.better == (sum(value > found.objective + 1e-11 for value, _ in every), True)
            assert found.rank == found.better.number + 1
    assert seen == {True, False}
