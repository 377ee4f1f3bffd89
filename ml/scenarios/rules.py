"""What a merchandiser asks of a scenario: rules in force, resolved to products, and what each of them costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Literal

import polars as pl

from ml.tables import APPLIED_RULES

PIN, VETO, MUST_INCLUDE, EXCLUDE_CATEGORY, PRICE_FLOOR = (
    "pin",
    "veto",
    "must_include",
    "exclude_category",
    "price_floor",
)
EXAMPLES = 5
"""Products that a rule's detail names."""
Measure = Literal["expected_margin_cents", "expected_revenue_cents"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """One rule in force.

    Attributes
    ----------
    rule_id, kind, author, reason
        As the merchandiser wrote them.
    product_id, category, floor_cents
        What it is about; None where its kind has no use for it.
    product_ids
        Products of the catalogue that it touches.
    fault
        Why it cannot be obeyed, in words; None where it can.
    note
        What else there is to say of it, in words.
    """

    rule_id: str
    kind: str
    author: str
    reason: str
    product_id: str | None
    category: str | None
    floor_cents: int | None
    product_ids: tuple[str, ...]
    fault: str | None = None
    note: str | None = None

    @property
    def detail(self) -> str:
        """Return what the rule came to, in words."""
        if self.fault:
            return self.fault
        more = f" and {len(self.product_ids) - EXAMPLES} more" if len(self.product_ids) > EXAMPLES else ""
        found = f"{len(self.product_ids)} product(s): {', '.join(self.product_ids[:EXAMPLES])}{more}"
        return f"{found}; {self.note}" if self.note else found


@dataclass(frozen=True)
class Rules:
    """The rules of a scenario on a day."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def of(
        cls, written: pl.DataFrame, products: pl.DataFrame, first: date, scenario: str, last: date | None = None
    ) -> "Rules":
        """Return the rules in force for the scenario on a day from ``first`` to ``last``, when its results are used.

        A rule that cannot be obeyed stays, with its fault, and constrains nothing: an unknown product, a kind without
        what it needs, or a pin of what another rule forbids.

        Parameters
        ----------
        written
            Rows of ``features.ftr_merch_rules``.
        products
            Rows of ``features.ftr_products``.
        last
            None: the first day alone.
        """
        last = last or first
        in_force = written.filter(
            pl.col("scenario").is_null() | (pl.col("scenario") == scenario),
            pl.col("starts_on").is_null() | (pl.col("starts_on") <= last),
            pl.col("ends_on").is_null() | (pl.col("ends_on") >= first),
        )
        found = [_resolved(row, products) for row in in_force.sort("rule_id").iter_rows(named=True)]
        forbidden = {product for rule in found if not rule.fault for product in rule.product_ids if _forbids(rule)}
        return cls(tuple(_without_contradiction(rule, forbidden) for rule in found))

    @classmethod
    def applied(cls, rows: pl.DataFrame, products: pl.DataFrame) -> "Rules":
        """Return the rules that a run took down in ``ml.applied_rules``, whatever was written since.

        Parameters
        ----------
        rows, products
            Rows of ``ml.applied_rules`` of one run, and of ``features.ftr_products`` of its day.
        """
        known = rows.sort("rule_id").rename({"kind": "rule_kind", "author": "rule_author", "reason": "rule_reason"})
        return cls(
            tuple(
                replace(_resolved(row, products), fault=None if row["is_applied"] else row["detail"])
                for row in known.iter_rows(named=True)
            )
        )

    def without(self, rule_id: str) -> "Rules":
        """Return the other rules."""
        return Rules(tuple(rule for rule in self.rules if rule.rule_id != rule_id))

    @cached_property
    def obeyed(self) -> tuple[Rule, ...]:
        """Return the rules that can be obeyed."""
        return tuple(rule for rule in self.rules if not rule.fault)

    @cached_property
    def pinned(self) -> tuple[str, ...]:
        """Return the products that must be in, ascending."""
        return self._products(PIN)

    @cached_property
    def must_include(self) -> tuple[str, ...]:
        """Return the products of which each bundle holds at least one, ascending; none: no such rule."""
        return self._products(MUST_INCLUDE)

    @cached_property
    def excluded(self) -> tuple[str, ...]:
        """Return the products that must stay out, ascending."""
        return tuple(sorted({*self._products(VETO), *self._products(EXCLUDE_CATEGORY)}))

    @cached_property
    def floor_cents(self) -> Mapping[str, int]:
        """Return the lowest price of a unit, by product, where there is one."""
        floors: dict[str, int] = {}
        for rule in self.obeyed:
            if rule.kind == PRICE_FLOOR:
                for product in rule.product_ids:
                    floors[product] = max(floors.get(product, 0), rule.floor_cents or 0)
        return floors

    def rows(self) -> list[Row]:
        """Return the rows of ``ml.applied_rules``, without the run."""
        names = [name for name in APPLIED_RULES.columns if name not in ("run_id", "is_applied")]
        return [
            {**{name: getattr(rule, name) for name in names}, "is_applied": rule.fault is None} for rule in self.rules
        ]

    def _products(self, kind: str) -> tuple[str, ...]:
        return tuple(sorted({product for rule in self.obeyed if rule.kind == kind for product in rule.product_ids}))


NO_RULES = Rules()


def rule_costs(value_of: Callable[[Rules], float], rules: Rules, measure: Measure, what: str) -> list[Row]:
    """Return the rows of ``ml.rule_costs``, without the run: each rule's cost, by solving again without it.

    Parameters
    ----------
    value_of
        The measure, in cents, of what the scenario chooses under some rules.
    what
        What is solved again, in words.
    """
    if not rules.obeyed:
        return []
    value_with = value_of(rules)
    rows = []
    for rule in rules.obeyed:
        value_without = value_of(rules.without(rule.rule_id))
        rows.append(
            {
                "rule_id": rule.rule_id,
                "measure": measure,
                "value_with": value_with,
                "value_without": value_without,
                "cost": value_without - value_with,
                "detail": what,
            }
        )
    return rows


def _resolved(row: Row, products: pl.DataFrame) -> Rule:
    kind, product, category = row["rule_kind"], row["product_id"], row["category"]
    own = {"product_id": product, "category": category, "floor_cents": row["floor_cents"]}
    facts = {"author": row["rule_author"], "reason": row["rule_reason"], **own}
    if kind == EXCLUDE_CATEGORY:
        named = pl.col("category"), pl.col("department"), pl.col("category_path")
        is_named = pl.any_horizontal(*(column == pl.lit(category, pl.String) for column in named))
        found = tuple(products.filter(is_named)["product_id"].sort())
        fault = "names no category" if category is None else None if found else f"no product in category {category}"
    else:
        found = tuple(products.filter(pl.col("product_id") == pl.lit(product, pl.String))["product_id"])
        fault = "names no product" if product is None else None if found else f"unknown product {product}"
    if kind == PRICE_FLOOR and row["floor_cents"] is None:
        fault = "names no price"
    return Rule(row["rule_id"], kind, **facts, product_ids=found, fault=fault)


def _forbids(rule: Rule) -> bool:
    return rule.kind in (VETO, EXCLUDE_CATEGORY)


def _without_contradiction(rule: Rule, forbidden: set[str]) -> Rule:
    """Return the rule; where it wants what another forbids, with that as its fault: a veto is the safer one."""
    if rule.fault or rule.kind not in (PIN, MUST_INCLUDE) or not set(rule.product_ids) & forbidden:
        return rule
    return replace(rule, fault=f"another rule forbids {rule.product_id}")
