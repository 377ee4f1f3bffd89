"""What the benchmark of serving asks, and how it counts."""

import numpy as np
import pytest

from benchmarks.serving import PEER, QUESTIONS, quantile, rows
from benchmarks.serving_shop import Size


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_script_draws_what_it_asks_for_and_nothing_is_left_open(question) -> None:  # type: ignore[no-untyped-def]
    script = question.script(Size(100, 10))
    assert "{" not in script and script.rstrip().endswith(";")
    for name in ("a", "b", "c"):
        assert (f"\\set {name} " in script) == (f"(:{name}::text" in script)


def test_the_interval_of_a_quantile_is_that_of_its_neighbours_in_order() -> None:
    values = np.random.default_rng(0).permutation(10_000).astype(float)
    value, low, high = quantile(values, 0.99)
    # 9900 +- 1.96 * sqrt(10000 * .99 * .01) = 9900 +- 19.5
    assert (low, high) == (9880.0, 9919.0)
    assert low < value < high


def test_every_number_stands_beside_the_look_up_of_the_same_run() -> None:
    took = {PEER: np.full(100, 2.0), "complete_basket": np.full(100, 6.0)}
    found = {row.name: row for row in rows(took, 10)}
    assert found["serving/complete_basket/p99_ms"].ratio == 3.0
    assert found["serving/complete_basket/p99_ms"].peer == PEER
    assert found["serving/primary_key/p99_ms"].ratio is None
    assert found["serving/complete_basket/answers_per_second"].value == 10.0
