"""The benchmark of the solvers reports the same numbers of each, under names that others read."""

from dataclasses import replace

import pytest

from benchmarks.instances import Instances, realistic
from benchmarks.optimizer import FULL, KINDS, QUICK, Plan, _cell

METRICS = {"customers_per_s_core", "times_slower", "gap_mean", "gap_p95", "optimal_share"}
OWN, PEERS = ("exact", "greedy", "annealing", "genetic"), ("pymoo", "cp_sat", "highs")
SMALL = (12, 3)


@pytest.fixture(scope="module")
def instances() -> Instances:
    return realistic(*SMALL, customers=2)


def reported(instances: Instances, plan: Plan) -> dict[str, float]:
    return {row.name: row.value for row in _cell(instances, replace(plan, judged=2, rounds=1, has_prototype=False))}


def test_every_solver_has_the_same_rows(instances: Instances) -> None:
    rows = reported(instances, replace(QUICK, peers={SMALL: 1}))
    expected = {f"optimizer/{solver}/realistic_n12_k3/{metric}" for solver in OWN + PEERS for metric in METRICS}
    assert expected <= set(rows)
    assert all(rows[f"optimizer/exact/realistic_n12_k3/{metric}"] == 1 for metric in ("times_slower", "optimal_share"))


def test_cells_without_peers_still_have_the_projects_solvers(instances: Instances) -> None:
    solvers = {name.split("/")[1] for name in reported(instances, replace(QUICK, peers={}))}
    assert solvers == set(OWN)


def test_where_associations_are_stored_sparsely_making_the_pair_values_is_timed_too() -> None:
    rows = reported(realistic(*SMALL, customers=2, is_sparse=True), QUICK)
    alone, whole = (
        rows[f"optimizer/exact/sparse_n12_k3/customers_per_s_core{which}"] for which in ("", "_from_neighbours")
    )
    # Which is the faster one is for the benchmark to say: a busy machine may turn two short timings around.
    assert alone > 0 and whole > 0


def test_all_kinds_and_sizes_are_run_and_peers_at_least_in_one_cell() -> None:
    assert {"realistic", "flat", "complete_journey"} <= set(KINDS)
    assert set(FULL.grid) == {(n, k) for n in (50, 100, 200) for k in (3, 4, 5)}
    for plan in (FULL, QUICK):
        assert (100, 4) in plan.grid and plan.peers[100, 4] > 0
        assert set(plan.peers) <= set(plan.grid)
