"""``serve.experiment_arm``: the arm that the read-out counts a customer in."""

import psycopg2
import pytest

from ml.evaluation.experiment import ExperimentParams, assign
from tests.database.test_complete_basket import Connection

CALL = (
    "select c, serve.experiment_arm(c, %s, %s, %s::float[], %s) from unnest(%s) with ordinality as t (c, n) order by n"
)


@pytest.mark.parametrize(
    ("name", "arms", "holdout"),
    [
        ("spring", {"control": 0.5, "bundles": 0.5}, 0.0),
        ("Früh: 1", {"a": 0.2, "b": 0.3, "c": 0.5}, 0.1),
        ("s", {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, 0.0),
    ],
)
def test_it_is_the_arm_of_the_read_out(owner: Connection, name: str, arms: dict[str, float], holdout: float) -> None:
    customers = [*(f"C{n:05d}" for n in range(2000)), "", "Größe 💐", "x' or 1=1"]
    with owner.cursor() as cursor:
        cursor.execute(CALL, (name, list(arms), list(arms.values()), holdout, customers))
        found = cursor.fetchall()
    wanted = assign(customers, ExperimentParams(name, arms, holdout))
    assert found == list(zip(customers, wanted, strict=True))
    assert len(set(wanted)) == len(arms) + bool(holdout)


@pytest.mark.parametrize(
    ("arms", "shares"),
    [(["a"], [1]), (["a", "b"], [0.5]), (["a", "b"], [0.5, 0.4]), (["a", "b"], [1, 0]), (["a", "holdout"], [0.5, 0.5])],
)
def test_what_is_no_split_is_refused(owner: Connection, arms: list[str], shares: list[float]) -> None:
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="experiment_arm"), owner.cursor() as cursor:
        cursor.execute(CALL, ("s", arms, shares, 0, ["ann"]))
