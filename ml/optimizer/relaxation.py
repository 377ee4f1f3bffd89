"""The root of a search: what each candidate could be worth, and multipliers of the limits."""

import numpy as np
from numba import njit

from ml.optimizer.bounds import halves
from ml.optimizer.rules import NEVER, NO_BUDGET

STEPS = 16
"""Of the search for multipliers; more gained nothing on simulated shops."""


@njit(cache=True, nogil=True)
def optimistic(st, order, promise, half):  # type: ignore[no-untyped-def]
    """Say what each candidate could be worth in a bundle of the largest size.

    Parameters
    ----------
    order
        (m,) positions of the candidates that may be paired, in order of category, so that quotas cap the sums.
    promise, half
        (n,) filled: own value and half of the ``max_size - 1`` largest pairs; half of the ``max_size - 2`` largest.
    """
    n, m, picks = len(st.linear), len(order), st.rules.max_size + 1
    code, left, work = np.empty(m, np.int64), np.full(m, st.rules.quota), np.empty((2 * picks, n))
    codes = 0
    for place in range(m):
        codes += place > 0 and st.category[order[place]] != st.category[order[place - 1]]
        code[place] = codes
    halves(st.pair, order, m, n, code, left, picks, promise, half, work)
    for i in range(n):
        promise[i] += st.linear[i]


@njit(cache=True, nogil=True)
def constant(rules, money, reward):  # type: ignore[no-untyped-def]
    """Return what the limits themselves add to a bound under multipliers."""
    total = money * rules.budget if money > 0.0 else money * rules.min_price
    return total - reward * rules.min_margin if rules.has_margin_floor else total


@njit(cache=True, nogil=True)
def multipliers(st, promise):  # type: ignore[no-untyped-def]
    """Return a price of money and a reward of margin that make bounds tight, 0 where their limits do not bind.

    Whatever they are, a bundle within the limits is worth no more than its value less ``money`` a cent of price, plus
    ``reward`` a cent of margin, plus :func:`constant`, as long as ``reward`` is not negative. Found by subgradient
    steps on the sum of the most promising candidates: Held, Wolfe and Crowder (1974), Validation of subgradient
    optimization, Math. Program. 6.

    Parameters
    ----------
    promise
        (n,) of :func:`optimistic`.
    """
    rules, n = st.rules, len(st.linear)
    if n == 0 or (rules.min_price <= 0 and rules.budget >= NO_BUDGET and not rules.has_margin_floor):
        return 0.0, 0.0
    picks = rules.max_size
    tops, chosen = np.empty(picks), np.empty(picks, np.int64)
    largest, dearest, richest = 1e-300, 0.0, 0.0
    for i in range(n):
        largest = max(largest, abs(promise[i]))
        dearest += st.price[i] / n
        if st.is_open[i]:  # a margin that is not known is a number out of all proportion
            richest += abs(st.margin[i]) / n
    step_money = 0.25 * largest / max(dearest, 1.0)
    step_reward = 0.25 * largest / max(richest, 1.0) if rules.has_margin_floor else 0.0
    money, reward, best_money, best_reward, least = 0.0, 0.0, 0.0, 0.0, np.inf
    for _ in range(STEPS):
        size, last = 0, NEVER
        for i in range(n):
            if not st.is_open[i]:
                continue
            adjusted = promise[i] - money * st.price[i] + reward * st.margin[i]
            if size == picks and adjusted <= last:
                continue
            rank = min(size, picks - 1)
            while rank > 0 and tops[rank - 1] < adjusted:
                tops[rank], chosen[rank] = tops[rank - 1], chosen[rank - 1]
                rank -= 1
            tops[rank], chosen[rank] = adjusted, i
            size = min(size + 1, picks)
            last = tops[size - 1]
        bound, price, margin = constant(rules, money, reward), 0, 0
        for rank in range(size):
            if rank < rules.min_size or tops[rank] > 0.0:
                bound += tops[rank]
                price += st.price[chosen[rank]]
                margin += st.margin[chosen[rank]]
        if bound < least:
            least, best_money, best_reward = bound, money, reward
        is_short = rules.has_margin_floor and margin < rules.min_margin
        if price > rules.budget:
            money += step_money
        elif price < rules.min_price:
            money -= step_money
        elif not is_short and reward == 0.0:
            break
        if rules.has_margin_floor:
            reward = max(0.0, reward + (step_reward if is_short else -step_reward))
        step_money *= 0.75
        step_reward *= 0.75
    return best_money, best_reward
