"""Where and how torch computes: the one place that chooses the device, and the seeds and threads of a model."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(threads: int, seed: int) -> Iterator[None]:
    """Use so many threads and this seed within; leave torch as it was.

    On a CPU the same seed and number of threads give the same model to the last bit; a GPU adds in any order.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
