"""Scores boosted trees faster than LightGBM does, to the last bit: every node of a tree at once, for a block of rows.

A tree's leaves are numbered from left to right and kept as a set of bits, one set a row. A row that turns right at a
node cannot end in a leaf to the node's left, so that node's mask strikes those leaves; when all nodes are done, the
first leaf left is where the row ends. Nothing branches on the data, so the compiler turns the inner loop into vector
instructions over the rows of a block.
"""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import DataError

MOST_LEAVES = 32
"""Bits of a set."""
BLOCK_ROWS = 128
"""Rows at once: about 76 features of them fit the first two levels of a processor's cache."""
NOTHING = np.float32(1e-35)
"""LightGBM takes what is not above it for zero."""
ENDLESS = 1e300
"""LightGBM writes it for an infinite threshold, which JSON cannot hold: the one between missing and all else."""
# The place of the one bit in a word, by multiplication: Leiserson, Prokop and Randall (1998), Using de Bruijn sequences
# to index a 1 in a computer word.
DE_BRUIJN = 0x077CB531
PLACES = np.zeros(32, np.int64)
PLACES[[(DE_BRUIJN << bit & 0xFFFFFFFF) >> 27 for bit in range(32)]] = np.arange(32)


@dataclass(frozen=True)
class TreeScorer:
    """The trees of a booster as arrays.

    Attributes
    ----------
    used
        Features that occur in the trees; ``feature`` is a place in them.
    feature, threshold, is_left, mask
        (nodes,) a row turns left where its float32 value is at most the float32 threshold, or is NaN and ``is_left``;
        ``mask`` has the bits of the leaves that remain when it turns right.
    opens
        (trees + 1,) first node of each tree, and the end.
    leaf
        (trees, 32) value of each leaf from left to right.

    Source
    ------
    Lucchese et al. (2015), QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees,
    SIGIR; and (2016), Exploiting CPU SIMD extensions to speed-up document scoring with tree ensembles, SIGIR.
    """

    used: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    is_left: NDArray[np.bool_]
    mask: NDArray[np.uint32]
    opens: NDArray[np.int64]
    leaf: NDArray[np.float64]

    @classmethod
    def of(cls, booster: lightgbm.Booster) -> "TreeScorer | None":
        """Take a booster apart; None where a tree has more leaves than a set has bits.

        Raises
        ------
        DataError
            When a tree splits on a category or takes zero for missing, which the ranker's trees never do.
        """
        trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
        nodes: list[tuple[int, float, bool, int]] = []
        opens, leaves = [0], []
        for tree in trees:
            values: list[float] = []
            _walk(tree, nodes, values)
            if len(values) > MOST_LEAVES:
                return None
            leaves.append(values + [0.0] * (MOST_LEAVES - len(values)))
            opens.append(len(nodes))
        feature, threshold, is_left, mask = zip(*nodes, strict=True) if nodes else ((), (), (), ())
        used, places = np.unique(np.array(feature, np.int64), return_inverse=True)
        return cls(
            used=used,
            feature=places.astype(np.int64),
            threshold=_rounded_down(np.array(threshold, np.float64)),
            is_left=np.array(is_left, np.bool_),
            mask=np.array(mask, np.uint32),
            opens=np.array(opens, np.int64),
            leaf=np.array(leaves, np.float64).reshape(len(trees), MOST_LEAVES),
        )

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the raw score of each row, (rows,): what ``booster.predict(features, raw_score=True)`` returns."""
        scores = np.zeros(len(features))
        _score(
            scores, features, self.used, self.feature, self.threshold, self.is_left, self.mask, self.opens, self.leaf
        )
        return scores


def _walk(node: dict[str, Any], nodes: list[tuple[int, float, bool, int]], leaves: list[float]) -> None:
    """Append the leaves below a node from left to right, and its splits with their masks."""
    if "leaf_value" in node:
        leaves.append(node["leaf_value"])
        return
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise DataError(f"trees: cannot score a split of type {node['decision_type']}, missing {node['missing_type']}")
    # Without missing values in training LightGBM takes NaN for 0.
    is_left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
    first = len(leaves)
    _walk(node["left_child"], nodes, leaves)
    struck = sum(1 << leaf for leaf in range(first, len(leaves)))
    _walk(node["right_child"], nodes, leaves)
    nodes.append((node["split_feature"], node["threshold"], is_left, ~struck & 0xFFFFFFFF))


def _rounded_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is not above: a float32 value is below both or neither."""
    meant = np.where(np.abs(threshold) >= ENDLESS, np.copysign(np.inf, threshold), threshold)
    with np.errstate(over="ignore"):  # beyond float32 it is infinite, and the number below that the largest there is
        near = meant.astype(np.float32)
    return np.where(near > meant, np.nextafter(near, np.float32(-np.inf)), near)


@njit(cache=True, nogil=True)
def _score(
    scores: NDArray[np.float64], features: NDArray[np.float32], used: NDArray[np.int64], feature: NDArray[np.int64],
    threshold: NDArray[np.float32], is_left: NDArray[np.bool_], mask: NDArray[np.uint32], opens: NDArray[np.int64],
    leaf: NDArray[np.float64],
) -> None:  # fmt: skip
    everything = np.uint32(0xFFFFFFFF)
    block = np.zeros((max(1, used.size), BLOCK_ROWS), np.float32)
    left = np.zeros(BLOCK_ROWS, np.uint32)
    for first in range(0, features.shape[0], BLOCK_ROWS):
        rows = min(BLOCK_ROWS, features.shape[0] - first)
        for row in range(rows):
            for place in range(used.size):
                value_here = features[first + row, used[place]]
                block[place, row] = np.float32(0) if abs(value_here) <= NOTHING else value_here
        for tree in range(opens.size - 1):
            left[:] = everything
            for node in range(opens[tree], opens[tree + 1]):
                value, limit, remaining = block[feature[node]], threshold[node], mask[node]
                if is_left[node]:
                    for row in range(BLOCK_ROWS):
                        left[row] &= remaining if value[row] > limit else everything
                else:
                    for row in range(BLOCK_ROWS):
                        left[row] &= everything if value[row] <= limit else remaining
            for row in range(rows):
                lowest = left[row] & (~left[row] + np.uint32(1))
                scores[first + row] += leaf[tree, PLACES[np.uint32(lowest * np.uint32(DE_BRUIJN)) >> np.uint32(27)]]
