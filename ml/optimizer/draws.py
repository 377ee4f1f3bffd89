"""Random numbers for compiled code: one state a search, so that a seed gives the same answer in any thread."""

import numpy as np
from numba import njit

_WEYL, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_27, _30, _31, _32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def draw(state, count):  # type: ignore[no-untyped-def]
    """Return a random number of 0 to ``count - 1`` from a (1,) uint64 state, which moves on."""
    return below(next_bits(state), count)


@njit(cache=True, nogil=True, inline="always")
def next_bits(state):  # type: ignore[no-untyped-def]
    """Return 64 random bits from a (1,) uint64 state, which moves on; enough for several small numbers."""
    state[0] += _WEYL
    return _mixed(state[0])


@njit(cache=True, nogil=True, inline="always")
def _mixed(state):  # type: ignore[no-untyped-def]
    """Return the 64 random bits of a state: Steele, Lea and Flood (2014), Fast splittable PRNGs, OOPSLA."""
    first = (state ^ (state >> _30)) * _FIRST
    second = (first ^ (first >> _27)) * _SECOND
    return second ^ (second >> _31)


@njit(cache=True, nogil=True, inline="always")
def below(bits, count):  # type: ignore[no-untyped-def]
    """Return a number of 0 to ``count - 1`` from the upper 32 bits."""
    return np.int64(((bits >> _32) * np.uint64(count)) >> _32)


@njit(cache=True, nogil=True)
def seeded(seed):  # type: ignore[no-untyped-def]
    """Return the (1,) uint64 state of :func:`draw` for a seed; neighbouring seeds start far apart."""
    return np.full(1, _mixed(np.uint64(seed) + _WEYL), np.uint64)
