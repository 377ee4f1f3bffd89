"""The scenarios as groups of tasks, and the tasks that start those a run's form names."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from airflow.providers.standard.operators.branch import BaseBranchOperator
from airflow.sdk import TaskGroup, chain
from airflow.sdk.exceptions import AirflowFailException

from shared.stages import stage

PLANNED = ("cross_category", "bundle_sale", "replenishment", "launch", "customer_care")
PERSONAL = "personal"
STAGES = {
    PERSONAL: ("propose_candidates", "optimise_bundles", "list_bundles", "audit_bundles", "publish_bundles"),
    **{name: (f"plan_{name}", "evaluate_scenario", "audit_scenario", "publish_bundles") for name in PLANNED},
}
"""The stages of each scenario, in order."""


class ChooseScenarios(BaseBranchOperator):
    """Starts the group of each scenario that the form names; the others are skipped.

    Parameters
    ----------
    among
        Scenarios that this task decides on.
    otherwise
        Id of the task to start when the form names none of them.
    """

    def __init__(self, *, among: Collection[str], otherwise: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.among, self.otherwise = tuple(among), otherwise

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
        starts = [f"{name}.{STAGES[name][0]}" for name in dict.fromkeys(wanted) if name in self.among]
        return starts or ([self.otherwise] if self.otherwise else [])


def scenario_groups(form: Mapping[str, Any]) -> None:
    """Wire a group of tasks for each scenario: personal bundles first, since the others stand on them."""
    personal = ChooseScenarios(task_id="choose_personal", among=[PERSONAL], otherwise="choose_scenarios")
    others = ChooseScenarios(task_id="choose_scenarios", among=PLANNED, trigger_rule="none_failed")
    groups = {scenario: _group(scenario, form) for scenario in STAGES}
    chain(personal, groups.pop(PERSONAL), others, list(groups.values()))
    # Straight on, where nobody asks for personal bundles.
    chain(personal, others)


def _group(scenario: str, form: Mapping[str, Any]) -> TaskGroup:
    with TaskGroup(scenario) as group:
        chain(*(stage(name, form, scenario=scenario) for name in STAGES[scenario]))
    return group
