"""Who becomes champion: the gate's verdict, what a person has stopped or taken back, and the record of all of it.

MLflow holds what stands (the alias ``champion``, tags of versions), ``ops.promotions`` what happened. A person may move
the alias at any time, in the UI too; the next run notices that it does not point where the last promotion put it,
writes that down, and respects it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ml.params import Context
from ml.settings import Settings
from ml.tracking import Tracking
from ml.versions import ROLLED_BACK, Version
from ml.warehouse import Warehouse

Kind = Literal["first", "refresh", "challenger"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decision:
    """What became of a version: ``verdict`` as in ``ops.promotions``, and the reason in words."""

    verdict: str
    reason: str

    @property
    def is_champion(self) -> bool:
        """Return whether the version is the champion now."""
        return self.verdict == "promoted"


class Promotions:
    """Judges the versions of one model and keeps the record.

    Parameters
    ----------
    settings
        Where MLflow and Postgres are.
    context
        The run that judges.
    model
        Name of the registered model.
    """

    def __init__(self, settings: Settings, context: Context, model: str) -> None:
        self._context, self._model = context, model
        self._tracking, self._warehouse = Tracking(settings), Warehouse(settings, "ml")

    def notice_moves(self) -> None:
        """Write down a move of the alias by a person since the last run; an older version means a rollback.

        What was rolled back gets the tag ``rolled_back``: versions of its recipe are held until a person deletes the
        tag or makes it the champion again.

        Raises
        ------
        TemporaryError
            When MLflow or Postgres does not answer.
        """
        shown, last = self._tracking.pointed_at(self._model), self._last_champion()
        if shown is None or last is None or shown.number == last:
            return
        kind = "rollback" if shown.number < last else "by_hand"
        reason = f"a person moved the alias from version {last} to version {shown.number}"
        if kind == "rollback" and last in {version.number for version in self._tracking.versions(self._model)}:
            reason += f"; versions made like {last} are held until its tag {ROLLED_BACK} is deleted"
            self._tracking.tag_version(self._model, last, {ROLLED_BACK: "true"})
        if shown.is_rolled_back:
            self._tracking.tag_version(self._model, shown.number, {ROLLED_BACK: ""})
        self._record(shown, last, kind, "noted", reason, {})
        log.warning("%s: %s", self._model, reason)

    def is_due(self, champion: Version, every_days: int) -> bool:
        """Return whether the newest data that were judged are ``every_days`` old, whoever won then."""
        as_of = self._context.as_of
        judged = [v.data_cut_off for v in self._tracking.versions(self._model) if "gate" in v.tags]
        newest = max([champion.data_cut_off, *(day for day in judged if day <= as_of)])
        return (as_of - newest).days >= every_days

    def decide(self, version: Version, kind: Kind, passed: bool, reason: str, metrics: Mapping[str, float]) -> Decision:
        """Judge a version whose run is complete, and write down verdict and reason.

        Parameters
        ----------
        kind
            Against whom it was judged: nobody, a champion of the same recipe, a champion of another one.
        passed, reason
            What the gate says.
        metrics
            What the gate looked at; NaN is left out.

        Raises
        ------
        TemporaryError
            When MLflow or Postgres does not answer; a version that nobody judged is no champion.
        """
        before = self._tracking.pointed_at(self._model)
        gate, words = self._gate(version, passed)
        decision = Decision({"passed": "promoted", "failed": "refused"}.get(gate, gate), reason + words)
        if not self._tracking.judge(version, gate, decision.reason) and gate == "passed":
            decision = Decision("outdated", f"{decision.reason}; the champion's data are newer")
        tags = {"verdict": decision.verdict, "kind": kind, "gate_reason": decision.reason}
        if decision.is_champion:
            tags["role"] = "champion"
        self._tracking.tag_run(version.run_id, tags)
        self._record(version, before.number if before else None, kind, decision.verdict, decision.reason, metrics)
        log.info("%s %d: %s: %s", self._model, version.number, decision.verdict, decision.reason)
        return decision

    def _gate(self, version: Version, passed: bool) -> tuple[str, str]:
        if not passed:
            return "failed", ""
        if self._context.params.freeze_promotion:
            return "frozen", "; not promoted: this run was started with promotion frozen"
        if self._tracking.is_frozen(self._model):
            return "frozen", "; not promoted: a person froze promotion by a tag of the registered model"
        like = [v.number for v in self._tracking.versions(self._model) if v.is_rolled_back and _same(v, version)]
        if like:
            return "held", (
                f"; not promoted: version {max(like)}, made by the same recipe, was rolled back; delete its tag "
                f"{ROLLED_BACK} to allow the recipe again"
            )
        return "passed", ""

    def _last_champion(self) -> int | None:
        """Return the version that the last promotion, or the last noted move, made the champion."""
        where = {"model": self._model, "verdict": ["promoted", "noted"]}
        rows = self._warehouse.read_view("ops.promotions", where, ["promotion_id", "version"], ["promotion_id"])
        return int(rows["version"][-1]) if rows.height else None

    def _record(
        self,
        version: Version,
        previous: int | None,
        kind: str,
        verdict: str,
        reason: str,
        metrics: Mapping[str, float],
    ) -> None:
        self._warehouse.call(
            "ops.record_promotion",
            model=self._model,
            version=version.number,
            previous_version=previous,
            kind=kind,
            verdict=verdict,
            reason=reason,
            metrics={name: value for name, value in metrics.items() if value == value},
            as_of=self._context.as_of,
            started_by=self._context.started_by,
            mlflow_run_id=version.run_id,
        )


def _same(one: Version, other: Version) -> bool:
    return one.tags.get("recipe") == other.tags.get("recipe")
