"""Customers as arrays for the assignment of shared stock, shard by shard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml.optimizer.market import Crowd
from ml.optimizer.problem import Bundle
from ml.optimizer.rules import IS_ANCHOR, IS_NEW, IS_PINNED, IS_RULED, IS_WANTED, NO_BUDGET, UNKNOWN_MARGIN
from ml.scenarios.discovery import is_forced
from ml.scenarios.slates import Desk, Slate


@dataclass(frozen=True)
class Crowds:
    """The customers of one round as arrays, shard by shard; a single shard is laid out once and kept.

    Attributes
    ----------
    parts
        Places of each shard's customers among the slates.
    slates, held
        All of them, and what each holds so far.
    ahead
        Rounds to come, this one included.
    """

    parts: list[list[int]]
    slates: Sequence[Slate]
    held: Sequence[Sequence[Bundle]]
    desk: Desk
    ahead: int

    def __call__(self) -> Iterator[Crowd]:
        """Return the shards, each laid out when it is its turn."""
        if len(self.parts) == 1:
            return iter([self._only])
        return (self._crowd(part) for part in self.parts)

    @cached_property
    def _only(self) -> Crowd:
        return self._crowd(self.parts[0])

    def _crowd(self, part: Sequence[int]) -> Crowd:
        return _crowd(
            [self.slates[place] for place in part], [self.held[place] for place in part], self.desk, self.ahead
        )


def _crowd(slates: Sequence[Slate], held: Sequence[Sequence[Bundle]], desk: Desk, ahead: int) -> Crowd:
    """Return the customers as arrays; candidates that form, rules or an unknown margin exclude are left out."""
    width = max((len(slate.product) for slate in slates), default=0)
    shape = (len(slates), width)
    crowd = Crowd(
        np.full(shape, -1, np.int32),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape, np.uint8),
        np.zeros(shape, np.int64),
        np.full(len(slates), desk.limits.min_price_cents, np.int64),
        np.full(len(slates), NO_BUDGET if desk.limits.budget_cents is None else desk.limits.budget_cents, np.int64),
        np.array([slate.spread for slate in slates], float),
        np.zeros(len(slates), np.int64),
    )
    roles, has_floor = desk.roles, desk.limits.min_margin_cents is not None
    for row, (slate, bundles) in enumerate(zip(slates, held, strict=True)):
        is_open = ~roles.is_excluded[slate.product]
        if has_floor:
            is_open &= desk.shelf.margin_cents[slate.product] != UNKNOWN_MARGIN
        earlier = np.zeros(len(slate.product), np.int64)
        for number, items in enumerate(bundles):
            earlier[list(items)] |= 1 << number
        codes = slate.product[is_open]
        role = (
            IS_ANCHOR * slate.is_anchor[is_open]
            + IS_WANTED * roles.is_wanted[codes]
            + IS_PINNED * roles.is_pinned[codes]
            + IS_RULED * roles.is_ruled[codes]
            + IS_NEW * ~slate.is_anchor[is_open]
        )
        size = len(codes)
        crowd.product[row, :size], crowd.preference[row, :size] = codes, slate.preference[is_open]
        crowd.role[row, :size], crowd.earlier[row, :size] = role, earlier[is_open]
        if desk.basket is not None:
            likes, objective = slate.preference[is_open], desk.policy.objective
            crowd.own[row, :size] = desk.basket.values(objective, codes.astype(np.int64), likes, slate.spread)
        if desk.discovery_share and _is_bound(slate, bundles, desk, ahead):
            crowd.needs[row] = IS_NEW
    return crowd


def _is_bound(slate: Slate, bundles: Sequence[Bundle], desk: Desk, ahead: int) -> bool:
    """Return whether the customer's next bundle must hold something new.

    As many bundles are reckoned with as the customer would have without regard to others, as far as rounds are left.
    """
    chosen = len(bundles)
    total = min(max(chosen + 1, len(slate.bundles)), chosen + ahead)
    found = sum(bool((~slate.is_anchor[list(items)]).any()) for items in bundles)
    return is_forced(desk.discovery_share, found, chosen, total)
