"""A genetic algorithm over bundles: parents lend their products to children, and a fitter child takes a place.

Holland (1975), Adaptation in natural and artificial systems, on sets of products instead of strings. Who is fitter
goes by Deb (2000), An efficient constraint handling method for genetic algorithms, Comput. Methods Appl. Mech. Eng.
186: the lesser violation first, the value among equals, so no weight is needed between the two. A child competes with
its mother for her place, as in Mahfoud (1992), Crowding and preselection revisited, PPSN 2: the best is never lost,
and the population stays diverse.
"""

import numpy as np
from numba import njit

from ml.optimizer.draws import draw, seeded
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.rules import IS_ALLOWED, LARGEST_SIZE, NEVER
from ml.optimizer.violations import ledger, remember, split, unlikely, violation

GENERATIONS = 200
POPULATION = 200
MUTATIONS = 28
"""Of 32 children, so many are mutated."""


def solve_genetic(problem: BundleProblem, seed: int = 0, generations: int = GENERATIONS) -> Bundle:
    """Return the positions of the best feasible bundle of all generations, ascending; empty when there was none.

    The same seed gives the same bundle, in any thread. Nothing is proven: an empty answer does not mean that no
    bundle is feasible.
    """
    found = np.full(LARGEST_SIZE, -1, np.int64)
    evolve(problem.statement, seed, generations, found)
    return tuple(int(item) for item in found if item >= 0)


@njit(cache=True, nogil=True, inline="always")
def _fitter(amiss, value, a, b):  # type: ignore[no-untyped-def]
    """Return the fitter of two members; the first of equals."""
    if amiss[a] != amiss[b]:
        return a if amiss[a] < amiss[b] else b
    return a if value[a] >= value[b] else b


@njit(cache=True, nogil=True)
def _unite(members, sizes, mother, father, pinned, pool):  # type: ignore[no-untyped-def]
    """Put the products of both parents beyond the pinned ones into ``pool``, each once; return how many."""
    count = 0
    for a in range(pinned, sizes[mother]):
        pool[count] = members[mother, a]
        count += 1
    for a in range(pinned, sizes[father]):
        item, is_new = members[father, a], True
        for b in range(pinned, sizes[mother]):
            is_new &= members[mother, b] != item
        if is_new:
            pool[count] = item
            count += 1
    return count


@njit(cache=True, nogil=True)
def _inherit(pair, pool, count, child, size, target, state):  # type: ignore[no-untyped-def]
    """Add products of ``pool[:count]`` at random, where they may meet the child's others; return its size."""
    while size < target and count > 0:
        a = draw(state, count)
        item, fits = pool[a], True
        count -= 1
        pool[a] = pool[count]
        for b in range(size):
            fits &= pair[item, child[b]] > IS_ALLOWED
        if fits:
            child[size] = item
            size += 1
    return size


@njit(cache=True, nogil=True)
def _repair(pair, others, m, child, size, target, state):  # type: ignore[no-untyped-def]
    """Add products at random up to ``target``, after many failures also ones that may not meet; return the size."""
    tries = 0
    while size < target:
        item, fits = others[draw(state, m)], True
        tries += 1
        for b in range(size):
            fits &= item != child[b] and (tries > 2 * m or pair[item, child[b]] > IS_ALLOWED)
        if fits:
            child[size] = item
            size += 1
    return size


@njit(cache=True, nogil=True)
def evolve(st, seed, generations, found):  # type: ignore[no-untyped-def]
    """Return the value of the best feasible bundle of all generations, ``NEVER`` when there was none.

    Parameters
    ----------
    st
        A :class:`ml.optimizer.rules.Statement`.
    generations
        How often each of ``POPULATION`` members has a child after the first, random generation.
    found
        (LARGEST_SIZE,) int64: gets the positions of that bundle, ascending, then -1.
    """
    rules, pair, linear, n = st.rules, st.pair, st.linear, len(st.linear)
    found[:] = -1
    child, pool, others = np.empty(len(found), np.int64), np.empty(2 * len(found), np.int64), np.empty(n, np.int64)
    pinned, m = split(st, child, others)
    if pinned < 0:
        return NEVER
    if pinned == rules.max_size or m == 0:
        return remember(st, child, pinned, NEVER, found)
    facts, per_price, per_margin = ledger(st)
    state, has_threshold, best = seeded(seed), rules.least_joint > 0.0, NEVER
    smallest, largest = max(rules.min_size, pinned), min(rules.max_size, pinned + m)
    members, sizes = np.empty((POPULATION, len(found)), np.int64), np.empty(POPULATION, np.int64)
    amiss, value = np.full(POPULATION, np.inf), np.full(POPULATION, NEVER)
    for generation in range(generations + 1):
        for mother in range(POPULATION):
            size, target = pinned, smallest + draw(state, largest - smallest + 1)
            if generation > 0:
                father = _fitter(amiss, value, draw(state, POPULATION), draw(state, POPULATION))
                target = sizes[mother] if draw(state, 2) else sizes[father]
                count = _unite(members, sizes, mother, father, pinned, pool)
                size = _inherit(pair, pool, count, child, size, target, state)
                if size > pinned and draw(state, 32) < MUTATIONS:
                    move = draw(state, 8) if smallest < largest else 2
                    if move == 0 and target < largest:
                        target += 1
                    else:  # one goes, and another comes unless the bundle is to shrink
                        size -= 1
                        child[pinned + draw(state, size + 1 - pinned)] = child[size]
                        target -= move == 1 and target > smallest
            size = _repair(pair, others, m, child, size, target, state)
            total, broken = 0.0, 0.0
            for a in range(size):
                total += linear[child[a]]
                for b in range(a):
                    worth = pair[child[a], child[b]]
                    if worth > IS_ALLOWED:
                        total += worth
                    else:
                        broken += 1.0
            if broken > amiss[mother] or (amiss[mother] == 0.0 and total <= value[mother]):
                continue
            broken += violation(facts, rules, child, size, per_price, per_margin)
            if has_threshold:
                broken += unlikely(st, child, size)
            if broken > amiss[mother] or (broken == amiss[mother] and total <= value[mother]):
                continue
            amiss[mother], value[mother], sizes[mother] = broken, total, size
            for a in range(size):
                members[mother, a] = child[a]
            if broken == 0.0 and total > best:
                best = remember(st, child, size, best, found)
    return best
