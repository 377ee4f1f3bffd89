"""Random faults at random moments: every run leads to its end, and to nothing else on the way."""

import os

import pytest

from tests.faults.conftest import LONG, SEED, Report
from tests.faults.random_runs import random_run
from tests.faults.world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
RUNS = int(os.environ.get("BUNDLES_FAULTS_RUNS", "200")) if LONG else 10


@pytest.mark.parametrize("number", range(RUNS))
def test_a_run_with_random_faults_leads_to_its_end(world: World, number: int, report: Report) -> None:
    ran = random_run(world, SEED, number)
    report(f"seed {SEED} run {number}: {'; '.join(ran.faults)}", f"exits {ran.codes}", ran.broken)
    assert ran.broken == []
