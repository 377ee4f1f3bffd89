"""The sketch that came before the exact solver, on the same customers; where it lies beside the repository.

It reads finished matrices of single precision, so its time is that of the search alone, as the exact solver's is.
"""

import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks.races import Stack
from ml.optimizer.rules import IS_ANCHOR

FILE = Path(__file__).resolve().parents[2] / "shared" / "prototypes" / "exact_branch_and_bound.py"
CELL = (200, 5)
GREEDY_STARTS, MAX_NODES, ROUNDS = 10, 10**7, 2
SINGLE_PRECISION = 1e-4


def is_there() -> bool:
    """Return whether the sketch is at hand."""
    return FILE.is_file()


def seconds(stack: Stack, optimum: NDArray[np.float64]) -> float:
    """Return CPU seconds a customer.

    Raises
    ------
    RuntimeError
        When the two do not find bundles of the same value.
    """
    spec = spec_from_file_location("prototype_of_the_search", FILE)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(FILE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    pair = stack.pair.astype(np.float32)
    pair[:, np.arange(pair.shape[1]), np.arange(pair.shape[1])] = 0.0
    statement = (
        pair,
        stack.linear.astype(np.float32),
        stack.price.astype(np.float32),
        stack.category,
        (stack.role & IS_ANCHOR) != 0,
        stack.min_price.astype(np.float32),
        stack.budget.astype(np.float32),
    )
    limits = stack.rules.quota, stack.rules.max_size, GREEDY_STARTS, MAX_NODES
    numba.set_num_threads(1)
    module.solve_all(*(field[:1] for field in statement), *limits)  # compiled
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        _, value, _, _ = module.solve_all(*statement, *limits)
        taken.append(time.process_time() - started)
    if not np.allclose(value, optimum, rtol=SINGLE_PRECISION):
        raise RuntimeError("the sketch and the exact solver disagree")
    return min(taken) / stack.customers
