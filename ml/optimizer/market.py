"""Many customers of one shop as arrays, and one customer's statement made from them in compiled code.

Which pairs of a customer's candidates have evidence is looked up once in the shop's sparse associations; what they are
worth is computed whenever it is needed, among the candidates that are still in question.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer.objective import EXPECTED_JOINT_PURCHASE, pair_value
from ml.optimizer.rules import NEVER, UNKNOWN_MARGIN, Rules, Statement


class Market(NamedTuple):
    """The shop: I products and the pairs of them that have evidence, each stored at both of its rows.

    Attributes
    ----------
    price, margin, category
        (I,) cents; cents or ``UNKNOWN_MARGIN``; codes >= 0.
    starts
        (I + 1,) int64: row i holds ``neighbours[starts[i]:starts[i + 1]]``.
    neighbours, association, lift, is_substitute
        (E,) products, what the objective gets, what the joint probability gets, whether the two are substitutes.
    objective
        Number of an :class:`ml.optimizer.objective.Objective`.
    cost_per_product
        Subtracted for each product shown, in the unit of the objective.
    rules
        What every customer's bundle must keep to; ``min_price`` and ``budget`` are those of :class:`Crowd`, which may
        add to ``needs``.
    """

    price: NDArray[np.int64]
    margin: NDArray[np.int64]
    category: NDArray[np.int32]
    starts: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    association: NDArray[np.float64]
    lift: NDArray[np.float64]
    is_substitute: NDArray[np.bool_]
    objective: int
    cost_per_product: float
    rules: Rules


class Crowd(NamedTuple):
    """U customers with up to n candidates each.

    Attributes
    ----------
    product
        (U, n) int32, -1 after the last candidate.
    preference, own
        (U, n) probability, and value beyond the pairs.
    role
        (U, n) uint8, see :class:`ml.optimizer.rules.Statement`.
    earlier
        (U, n) int64, bits of the earlier bundles that hold the candidate.
    min_price, budget
        (U,) int64, cents.
    spread
        (U,) v of :mod:`ml.optimizer.objective`, >= 0.
    needs
        (U,) int64: roles that the customer's bundle must hold beside those that everybody's must.
    """

    product: NDArray[np.int32]
    preference: NDArray[np.floating]
    own: NDArray[np.floating]
    role: NDArray[np.uint8]
    earlier: NDArray[np.int64]
    min_price: NDArray[np.int64]
    budget: NDArray[np.int64]
    spread: NDArray[np.float64]
    needs: NDArray[np.int64]


class Rows(NamedTuple):
    """Where each pair of a market is looked for: in the row of that of its products which has fewer of them.

    The favourites that stand among everybody's candidates have the longest rows (Chiba and Nishizeki 1985, SIAM J.
    Comput. 14).

    Attributes
    ----------
    starts
        (I + 1,) int64: row i holds the pairs ``starts[i]`` to ``starts[i + 1]``.
    neighbours, edges
        (E / 2,) int32: the other product, and the entry of the market's associations.
    """

    starts: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    edges: NDArray[np.int32]

    @classmethod
    def of(cls, market: Market) -> "Rows":
        """Choose a row for each pair."""
        degree = np.diff(market.starts)
        row, other = np.repeat(np.arange(len(degree)), degree), market.neighbours
        is_looked_for = (degree[row] < degree[other]) | ((degree[row] == degree[other]) & (row < other))
        edges = np.flatnonzero(is_looked_for).astype(np.int32)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(row[edges], minlength=len(degree)))])
        return cls(starts, other[edges], edges)


class Pairs(NamedTuple):
    """The pairs with evidence among each customer's candidates.

    Attributes
    ----------
    starts
        (U + 1,) int64: customer u has pairs ``starts[u]`` to ``starts[u + 1]``.
    first, second
        (P,) int16 positions among the candidates, first < second.
    edge
        (P,) int32 entry of the market's associations.
    """

    starts: NDArray[np.int64]
    first: NDArray[np.int16]
    second: NDArray[np.int16]
    edge: NDArray[np.int32]

    @classmethod
    def of(cls, market: Market, crowd: Crowd, rows: Rows | None = None) -> "Pairs":
        """Look them up; whoever has the rows of the market already, for many small crowds, may give them."""
        rows = rows or Rows.of(market)
        products, starts = len(market.starts) - 1, np.zeros(len(crowd.product) + 1, np.int64)
        nothing = np.empty(0, np.int16)
        _list_pairs(products, rows, crowd.product, starts, nothing, nothing, np.empty(0, np.int32))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(starts[:-1])])
        first, second = np.empty(starts[-1], np.int16), np.empty(starts[-1], np.int16)
        edge = np.empty(starts[-1], np.int32)
        _list_pairs(products, rows, crowd.product, starts, first, second, edge)
        return cls(starts, first, second, edge)


@njit(cache=True, nogil=True)
def _list_pairs(products, rows, product, starts, first, second, edge):  # type: ignore[no-untyped-def]
    """Write each customer's pairs from ``starts[u]`` on; without room for them, count them in ``starts``."""
    is_counting, place = len(first) == 0, np.full(products, -1, np.int64)
    for u in range(len(product)):
        m = 0
        while m < product.shape[1] and product[u, m] >= 0:
            place[product[u, m]] = m
            m += 1
        at = 0 if is_counting else starts[u]
        for a in range(m):
            for entry in range(rows.starts[product[u, a]], rows.starts[product[u, a] + 1]):
                b = place[rows.neighbours[entry]]
                if b >= 0:
                    if not is_counting:
                        first[at], second[at], edge[at] = min(a, b), max(a, b), rows.edges[entry]
                    at += 1
        if is_counting:
            starts[u] = at
        for a in range(m):
            place[product[u, a]] = -1


def check(market: Market, crowd: Crowd) -> None:
    """Refuse arrays that do not fit together or hold what no customer can have.

    Raises
    ------
    DataError
        When shapes differ, a product is unknown or stands twice, or a number is not finite or out of range.
    """
    customers, candidates = crowd.product.shape
    for name in ("preference", "own", "role", "earlier"):
        if getattr(crowd, name).shape != (customers, candidates):
            raise DataError(f"{name}: shape {getattr(crowd, name).shape}, product has {crowd.product.shape}")
    if crowd.product.size and not -1 <= crowd.product.min() <= crowd.product.max() < len(market.price):
        raise DataError(f"product codes must be -1 to {len(market.price) - 1}")
    is_there = crowd.product >= 0
    inside = crowd.preference[is_there]
    if inside.size and not (inside.min() >= 0 and inside.max() <= 1 and np.isfinite(crowd.own[is_there]).all()):
        raise DataError("preference must be a probability, and own finite")
    for name in ("association", "lift", "price"):
        numbers = getattr(market, name)
        if not (np.isfinite(numbers).all() and numbers.min(initial=0) >= 0):
            raise DataError(f"{name} must be finite and >= 0")
    if not (np.isfinite(crowd.spread).all() and crowd.spread.min(initial=0) >= 0):
        raise DataError("spread must be finite and >= 0")
    ordered = np.sort(crowd.product, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise DataError("a product stands twice among a customer's candidates")


@njit(cache=True, nogil=True)
def statement_of(market, crowd, pairs, u, kept, m, dual, place, pair, joint):  # type: ignore[no-untyped-def]
    """Return the statement of customer u among candidates ``kept[:m]``, at prices ``dual`` a unit.

    Parameters
    ----------
    pairs
        The :class:`Pairs` of the crowd.
    dual
        (I,) subtracted from the value of each product.
    place
        (n,) int64 to work in.
    pair, joint
        (m, m) to be filled; ``joint`` only where a least joint probability is asked for.
    """
    rules, objective, spread = market.rules, market.objective, crowd.spread[u]
    linear, preference = np.empty(m), np.empty(m)
    price, margin = np.empty(m, np.int64), np.empty(m, np.int64)
    category, role, earlier = np.empty(m, np.int32), np.empty(m, np.uint8), np.empty(m, np.int64)
    for i in range(crowd.product.shape[1]):
        place[i] = -1
    for a in range(m):
        i = kept[a]
        product = crowd.product[u, i]
        place[i] = a
        linear[a] = crowd.own[u, i] - market.cost_per_product - dual[product]
        preference[a] = crowd.preference[u, i]
        price[a], margin[a], category[a] = market.price[product], market.margin[product], market.category[product]
        role[a], earlier[a] = crowd.role[u, i], crowd.earlier[u, i]
    is_joint_needed, complements_only = rules.least_joint > 0.0, rules.complements_only
    unknown = NEVER if is_joint_needed else 0.0  # a pair without evidence has no joint probability
    for a in range(m):
        for b in range(m):
            pair[a, b] = unknown
        pair[a, a] = NEVER
    first, second, edges = pairs.first, pairs.second, pairs.edge
    association, lift, is_substitute = market.association, market.lift, market.is_substitute
    for entry in range(pairs.starts[u], pairs.starts[u + 1]):
        a, b, edge = place[first[entry]], place[second[entry]], edges[entry]
        if a < 0 or b < 0:
            continue
        both = margin[a] + margin[b]
        money = float(both) if both > UNKNOWN_MARGIN // 2 else 0.0
        value = pair_value(objective, preference[a], preference[b], association[edge], money, spread)
        if is_joint_needed:
            chance = pair_value(EXPECTED_JOINT_PURCHASE, preference[a], preference[b], lift[edge], 0.0, spread)
            joint[a, b], joint[b, a] = chance, chance
            if chance < rules.least_joint:
                continue
        if complements_only and is_substitute[edge]:
            value = NEVER
        pair[a, b], pair[b, a] = value, value
    if rules.quota == 1:
        for a in range(m):
            for b in range(m):
                if category[a] == category[b]:
                    pair[a, b] = NEVER
    own_rules = Rules(
        rules.min_size,
        rules.max_size,
        crowd.min_price[u],
        crowd.budget[u],
        rules.min_margin,
        rules.has_margin_floor,
        rules.quota,
        rules.min_categories,
        rules.needs | crowd.needs[u],
        rules.complements_only,
        rules.least_joint,
        rules.max_overlap,
    )
    is_open = np.ones(m, np.bool_)
    return Statement(pair, joint, linear, preference, price, margin, category, is_open, role, earlier, own_rules)
