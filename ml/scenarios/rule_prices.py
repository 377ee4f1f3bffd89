"""What each of a merchandiser's rules costs a run of personal bundles, found by solving again without it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ml.optimizer.rules import UNKNOWN_MARGIN
from ml.optimizer.solve import in_threads
from ml.params import RunParams
from ml.scenarios.personal_rules import under
from ml.scenarios.rules import Measure, Row, Rules, rule_costs
from ml.scenarios.slates import Desk, Slate, solved


@dataclass
class RulePrices:
    """Filled with a block of customers at a time.

    Each rule is taken away in turn, and the customers of whom it asks anything are solved again over the same
    candidates, without regard to stock that others need and to bundles that are live. The others' bundles cannot
    change, so they are not looked at.

    Attributes
    ----------
    desk, params
        What the run decides with; its rules are those that are priced.
    value
        Of all customers' bundles under all rules, in cents.
    gains, touched
        By rule: what is gained without it, in cents, and how many customers were solved again.
    """

    desk: Desk
    params: RunParams
    value: float = 0.0
    gains: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    touched: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @cached_property
    def measure(self) -> Measure:
        """Return what is compared: expected margin where every product of the shelf has a cost, else revenue."""
        is_known = (self.desk.shelf.margin_cents != UNKNOWN_MARGIN).all()
        return "expected_margin_cents" if is_known else "expected_revenue_cents"

    def take(self, slates: Sequence[Slate], threads: int = 1) -> None:
        """Add customers whose bundles were chosen under all rules."""
        self.value += sum(self._cents(slate) for slate in slates)
        for rule_id, without in self._desks.items():
            touched = [slate for slate in slates if self._is_touched(slate, without)]
            again = in_threads(lambda slate, desk=without: solved(slate, desk), touched, threads)  # type: ignore[misc]
            for slate, other in zip(touched, again, strict=True):
                self.gains[rule_id] += self._cents(other) - self._cents(slate)
            self.touched[rule_id] += len(touched)

    def rows(self) -> list[Row]:
        """Return the rows of ``ml.rule_costs``, without the run."""

        def value_of(rules: Rules) -> float:
            kept = {rule.rule_id for rule in rules.obeyed}
            return self.value + sum(self.gains[rule_id] for rule_id in self._desks if rule_id not in kept)

        what = "bundles of {} customers solved again over the same candidates, without regard to stock and live bundles"
        rows = rule_costs(value_of, self.desk.rules, self.measure, what)
        return [{**row, "detail": what.format(self.touched[row["rule_id"]])} for row in rows]

    @cached_property
    def _desks(self) -> dict[str, Desk]:
        rules = self.desk.rules
        return {one.rule_id: under(self.desk, self.params, rules.without(one.rule_id)) for one in rules.obeyed}

    def _is_touched(self, slate: Slate, without: Desk) -> bool:
        """Return whether a customer's bundles could be others without a rule: whether it asks anything of them."""
        here, there = self.desk.roles, without.roles
        if self.desk.limits != without.limits or not np.array_equal(here.is_pinned, there.is_pinned):
            return True
        asked = (here.is_excluded != there.is_excluded) | (here.is_ruled != there.is_ruled)
        return bool(asked[slate.product].any())

    def _cents(self, slate: Slate) -> float:
        shelf = self.desk.shelf
        cents = shelf.margin_cents if self.measure == "expected_margin_cents" else shelf.price_cents
        return sum(
            one.joint_probability * float(cents[slate.product[list(one.items)]].sum())
            for one in slate.solutions
            if one.items
        )
