"""The scenarios as groups of tasks, and the task that starts those a run's form names."""

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.providers.standard.operators.branch import BaseBranchOperator
from airflow.sdk import TaskGroup, chain
from airflow.sdk.exceptions import AirflowFailException

from shared.stages import stage

PLANNED = ("cross_category", "bundle_sale", "replenishment", "launch", "customer_care")
STAGES = {
    "personal": ("propose_candidates", "optimise_bundles", "list_bundles", "audit_bundles", "publish_bundles"),
    **{name: (f"plan_{name}", "evaluate_scenario", "audit_scenario", "publish_bundles") for name in PLANNED},
}
"""The stages of each scenario, in order."""


class ChooseScenarios(BaseBranchOperator):
    """Starts the group of each scenario that the form names; the others are skipped."""

    def choose_branch(self, context: Mapping[str, Any]) -> Iterable[str]:
        """Return the ids of the tasks to start.

        Raises
        ------
        AirflowFailException
            When the form names no scenario: a run that does nothing would look like one that worked.
        """
        wanted = [name for name in context["params"]["scenarios"] or () if name]
        if not wanted:
            raise AirflowFailException(f"scenarios: choose at least one of {', '.join(STAGES)}")
        return [f"{name}.{STAGES[name][0]}" for name in dict.fromkeys(wanted)]


def scenario_groups(form: Mapping[str, Any]) -> list[TaskGroup]:
    """Return a group of tasks for each scenario; none waits for another."""
    groups = []
    for scenario, names in STAGES.items():
        with TaskGroup(scenario) as group:
            chain(*(stage(name, form, scenario=scenario) for name in names))
        groups.append(group)
    return groups
