"""What the load is made of, and how it is counted."""

import numpy as np
import pytest

from benchmarks.load import Publishes, of_phase
from benchmarks.load_questions import ANALYSTS
from benchmarks.serving import BUNDLES, LOOK, PEER
from benchmarks.serving_shop import Size


@pytest.mark.parametrize("question", (LOOK, BUNDLES, *ANALYSTS), ids=lambda question: question.name)
def test_a_script_leaves_nothing_open(question) -> None:  # type: ignore[no-untyped-def]
    script = question.script(Size(100, 10))
    assert "{" not in script and script.rstrip().endswith(";") and script.count(";") == 1


def test_analysts_ask_ten_questions_as_analysts() -> None:
    assert len({question.name for question in ANALYSTS}) == 10
    assert {question.role for question in ANALYSTS} == {"bundles_analyst"}


def test_every_number_stands_beside_the_look_up_of_its_phase() -> None:
    took = {PEER: np.full(100, 2.0), "customer_bundles": np.full(100, 8.0)}
    found = {row.name: row for row in of_phase("publishing", took)}
    assert found["load/publishing/customer_bundles/p99_ms"].ratio == 4.0
    assert found["load/publishing/primary_key/p99_ms"].ratio is None
    assert set(of_phase("analysts", took, share=0.95)[0].name.split("/")) >= {"p95_ms", "analysts"}


def test_publishes_are_not_shared_between_measurements() -> None:
    one, other = Publishes(), Publishes()
    one.publish_ms.append(1.0)
    assert other.publish_ms == []
