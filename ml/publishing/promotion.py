"""Who becomes champion: the gate's verdict, what a person has stopped or taken back, and the record of all of it.

MLflow holds what stands (the alias ``champion``, tags of versions), ``ops.promotions`` what happened. A person may move
the alias at any time, in the UI too; the next run notices that it does not point where the last promotion put it,
writes that down, and respects it. A run that dies between the alias and the record leaves no doubt either: the next one
finds a version that passed and has no row, and writes the row.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ml.params import Context
from ml.settings import Settings
from ml.tracking import Tracking
from ml.versions import PASSED, ROLLED_BACK, Version
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
    followed
        Gives a recipe's text as the code that runs follows it, so that one written before a parameter was known is
        the same as one that has it at its default.
    """

    def __init__(self, settings: Settings, context: Context, model: str, followed: Callable[[str], str] = str) -> None:
        self._context, self._model, self._followed = context, model, followed
        self._tracking, self._warehouse = Tracking(settings), Warehouse(settings, "ml")
        self._against: int | None = None

    def notice_moves(self) -> None:
        """Write down a move of the alias by a person since the last run; an older version means a rollback.

        What was rolled back gets the tag ``rolled_back``: versions of its recipe are held until a person deletes the
        tag or makes it the champion again. To be called before training: what is judged later is judged against the
        champion seen now.

        Raises
        ------
        TemporaryError
            When MLflow or Postgres does not answer.
        """
        self._against = self._notice()

    def _notice(self) -> int | None:
        """Return the version that the alias points at, after writing down what the record does not know of it."""
        shown, last = self._tracking.pointed_at(self._model), self._last_champion()
        if shown is None:
            return None
        if shown.tags.get("gate") == PASSED and shown.run_id not in self._recorded():
            reason = f"{shown.tags['gate_reason']}; recorded late: the run that judged it left no row"
            self._crown(shown, last)
            self._record(shown, last, shown.tags.get("kind", "first"), "promoted", reason, {})
        elif last is not None and shown.number != last:
            self._note_move(shown, last)
        return shown.number

    def _note_move(self, shown: Version, last: int) -> None:
        kind = "rollback" if shown.number < last else "by_hand"
        reason = f"a person moved the alias from version {last} to version {shown.number}"
        if kind == "rollback" and last in {version.number for version in self._tracking.versions(self._model)}:
            reason += f"; versions made like {last} are held until its tag {ROLLED_BACK} is deleted"
            self._tracking.tag_version(self._model, last, {ROLLED_BACK: "true"})
        if shown.is_rolled_back:
            self._tracking.tag_version(self._model, shown.number, {ROLLED_BACK: ""})
        self._crown(shown, last)
        self._record(shown, last, kind, "noted", reason, {})
        log.warning("%s: %s", self._model, reason)

    def is_due(self, champion: Version, every_days: int) -> bool:
        """Return whether the newest data that were judged are ``every_days`` old, whoever won then."""
        return (self._context.as_of - self.newest_judged(champion)).days >= every_days

    def newest_judged(self, champion: Version) -> date:
        """Return the data cut-off of the newest version that was judged, whoever won then."""
        recorded = self._recorded()
        judged = [v.data_cut_off for v in self._tracking.versions(self._model) if v.run_id in recorded]
        return max([champion.data_cut_off, *(day for day in judged if day <= self._context.as_of)])

    def decide(self, version: Version, kind: Kind, passed: bool, reason: str, metrics: Mapping[str, float]) -> Decision:
        """Judge a version whose run is complete, and write down verdict and reason.

        Where a person moved the alias since :meth:`notice_moves`, the version is held: it was compared with another
        champion than the one that stands now.

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
        before = self._notice()
        gate, words = self._gate(version, passed, before)
        decision = Decision({PASSED: "promoted", "failed": "refused"}.get(gate, gate), reason + words)
        self._tracking.tag_version(self._model, version.number, {"kind": kind})
        if not self._tracking.judge(version, gate, decision.reason) and gate == PASSED:
            decision = Decision("outdated", f"{decision.reason}; the champion's data are newer")
        tags = {"verdict": decision.verdict, "kind": kind, "gate_reason": decision.reason}
        self._tracking.tag_run(version.run_id, tags)
        if decision.is_champion:
            self._crown(version, before)
        self._record(version, before, kind, decision.verdict, decision.reason, metrics)
        log.info("%s %d: %s: %s", self._model, version.number, decision.verdict, decision.reason)
        return decision

    def _gate(self, version: Version, passed: bool, shown: int | None) -> tuple[str, str]:
        if not passed:
            return "failed", ""
        if shown != self._against:
            there = "away" if shown is None else f"to version {shown}"
            return "held", f"; not promoted: a person moved the alias {there} while this was trained and judged"
        if self._context.params.freeze_promotion:
            return "frozen", "; not promoted: this run was started with promotion frozen"
        if self._tracking.is_frozen(self._model):
            return "frozen", "; not promoted: a person froze promotion by a tag of the registered model"
        versions = self._tracking.versions(self._model)
        like = [v.number for v in versions if v.is_rolled_back and self._are_alike(v, version)]
        if like:
            return "held", (
                f"; not promoted: version {max(like)}, made by the same recipe, was rolled back; delete its tag "
                f"{ROLLED_BACK} to allow the recipe again"
            )
        return PASSED, ""

    def _are_alike(self, one: Version, other: Version) -> bool:
        """Return whether two versions follow the same recipe; what is not known is not the same."""
        texts = one.tags.get("recipe"), other.tags.get("recipe")
        return None not in texts and self._followed(str(texts[0])) == self._followed(str(texts[1]))

    def _crown(self, version: Version, former: int | None) -> None:
        """Tag the runs of the champion and of the one before it with their roles."""
        for other in self._tracking.versions(self._model):
            if other.number == former and former != version.number:
                self._tracking.tag_run(other.run_id, {"role": "former_champion"})
        self._tracking.tag_run(version.run_id, {"role": "champion"})

    def _recorded(self) -> set[str]:
        """Return the runs of the versions that have a row."""
        rows = self._warehouse.read_view("ops.promotions", {"model": self._model}, ["mlflow_run_id"])
        return set(rows["mlflow_run_id"])

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
