"""A person's word before publishing, for runs that ask for it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator


class OptionalApproval(ApprovalOperator):
    """Waits for a person where the form says so and passes at once otherwise.

    A waiting task holds no worker slot, but its run stays active and the next day waits behind it; so silence
    for twelve hours counts as a refusal, and yesterday's bundles stay.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(response_timeout=timedelta(hours=12), defaults=self.REJECT, retries=0, **kwargs)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Ask, or pass."""
        if context["params"]["needs_approval"]:
            return super().execute(context)
        self.log.info("the form does not ask for an approval")
        return None
