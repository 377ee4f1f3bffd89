"""LightGCN: embeddings smoothed over who bought what and what was bought together, with attributes at the nodes.

Nodes are products and customers. A product's own embedding is a free vector plus a linear map of its attributes,
layers are means over neighbours, and the final embedding is the mean of the layers:

    e = v + X W,   Z = (e + A e + ... + A^k e) / (k + 1),   A = D^-1/2 (edges + I) D^-1/2

A product nobody bought has no edge but its own, so it keeps ``X W``: what its attributes say. exp(z_i z_j) estimates
how much more often two products lie in one basket than chance has it, as the loss compares with products drawn by
their popularity. The propagation is linear and A symmetric, so that gradients run through the same propagation.

Sources
-------
He et al. (2020), LightGCN: simplifying and powering graph convolution network for recommendation, SIGIR. Free vectors
are left out at random while training, as in Volkovs et al. (2017), DropoutNet: addressing cold start in recommender
systems, NIPS. Kingma and Ba (2015), Adam: a method for stochastic optimization, ICLR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ml.association.baskets import IndexedBaskets, Ints, Reals
from ml.association.counting import count_pairs
from ml.errors import ConfigError

Floats = NDArray[np.float32]
DROPPED_SHARE = 0.5
"""Of the free vectors, in each step: half of what is learned must hold without them."""
HELD_OUT_BASKETS, PATIENCE, BETWEEN_CHECKS = 0.1, 3, 10
LARGEST_EXPONENT = 30.0


@dataclass(frozen=True)
class GraphParams:
    """How the embeddings are learned.

    Attributes
    ----------
    dimensions, layers
        Of the embeddings; of the propagation.
    steps, batch
        Most steps of Adam, and the pairs of a step.
    learning_rate, decay
        Of Adam; the weight of the squared free vectors and maps in the loss.
    min_pair_baskets
        A pair of products in fewer baskets is no edge.
    """

    dimensions: int = 48
    layers: int = 2
    steps: int = 150
    batch: int = 2048
    learning_rate: float = 0.02
    decay: float = 1e-5
    min_pair_baskets: int = 5

    def __post_init__(self) -> None:
        whole = ("dimensions", "layers", "steps", "batch", "min_pair_baskets")
        for name in (*whole, "learning_rate", "decay"):
            value = getattr(self, name)
            if value < (1 if name in whole else 0):
                raise ConfigError(f"graph {name}: got {value}, too small")


class GraphEmbedding:
    """Fitted embeddings of products, asked like a matrix of pairs.

    Parameters
    ----------
    baskets
        What is learned from.
    attributes
        (products, features) of ``baskets.product_ids``, rows about 1 long; see
        :func:`ml.association.attributes.node_attributes`.

    Attributes
    ----------
    curve
        (step, training loss, held-out loss) of each check; the state of the lowest held-out loss is kept.
    unit
        (products, dimensions) final embeddings, over the edges of all baskets.
    """

    def __init__(self, baskets: IndexedBaskets, attributes: sparse.csr_matrix, params: GraphParams, seed: int) -> None:
        rng = np.random.default_rng(seed)
        products = len(baskets.product_ids)
        # What the number of steps is chosen by must not be among the edges: its pairs would find themselves there.
        is_held = rng.random(baskets.baskets_total) < HELD_OUT_BASKETS
        people = int(baskets.customers.max(initial=-1)) + 1
        graph = _graph(baskets.where(~is_held), params.min_pair_baskets, people)
        shapes = (products, people, attributes.shape[1])
        free, customers, maps = (
            (0.1 * rng.standard_normal((rows, params.dimensions))).astype(np.float32) for rows in shapes
        )
        self._attributes = attributes.astype(np.float32)
        self._bought = (baskets.product_baskets() > 0).astype(np.float32)[:, None]
        self.curve: list[tuple[int, float, float]] = []
        parts = self._learned([free * self._bought, customers, maps], graph, baskets, is_held, params, rng)
        whole = _graph(baskets, params.min_pair_baskets, people)
        self._maps = parts[2]
        self.unit = self._final(parts, whole, params.layers, np.float32(1.0))

    def _learned(
        self, parts: list[Floats], graph: sparse.csr_matrix, baskets: IndexedBaskets, is_held: NDArray[np.bool_],
        params: GraphParams, rng: np.random.Generator,
    ) -> list[Floats]:  # fmt: skip
        """Return the parts in the state with the lowest held-out loss."""
        learned, held = _Pairs(baskets, ~is_held), _Pairs(baskets, is_held)
        best = [part.copy() for part in parts]
        if not learned.lines.size:
            return best
        checked = held.drawn(params.batch, rng) if held.lines.size else learned.drawn(params.batch, rng)
        adam, lowest, since = _Adam(parts, params.learning_rate), np.inf, 0
        for step in range(1, params.steps + 1):
            kept = self._bought * (rng.random(self._bought.shape) >= DROPPED_SHARE).astype(np.float32)
            final = self._final(parts, graph, params.layers, kept)
            loss, slope = softmax_loss(final, *learned.drawn(params.batch, rng))
            adam.step([
                one + params.decay * part
                for one, part in zip(self._slopes(slope, parts, graph, params.layers, kept), parts, strict=True)
            ])  # fmt: skip
            if step % BETWEEN_CHECKS and step < params.steps:
                continue
            whole = self._final(parts, graph, params.layers, np.float32(1.0))
            there = softmax_loss(whole, *checked)[0]
            self.curve.append((step, loss, there))
            since += 1
            if there < lowest:
                lowest, best, since = there, [part.copy() for part in parts], 0
            if since == PATIENCE:
                break
        return best

    def _final(self, parts: list[Floats], graph: sparse.csr_matrix, layers: int, kept: Floats | np.float32) -> Floats:
        free, people, maps = parts
        own = np.concatenate([free * kept * self._bought + self._attributes @ maps, people])
        return propagated(graph, own, layers)[: len(free)]

    def _slopes(
        self, slope: Floats, parts: list[Floats], graph: sparse.csr_matrix, layers: int, kept: Floats
    ) -> list[Floats]:
        """Return the gradient of each part from that of the final embeddings of products."""
        free, people, _ = parts
        whole = propagated(graph, np.concatenate([slope, np.zeros_like(people)]), layers)
        of_products = whole[: len(free)]
        return [of_products * kept, whole[len(free) :], self._attributes.T @ of_products]

    def of_attributes(self, attributes: sparse.csr_matrix) -> Floats:
        """Return the (rows, dimensions) embeddings of products nobody bought, by the columns that were learned with."""
        return np.asarray(attributes.astype(np.float32) @ self._maps)

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) estimated lift of pairs given by code, > 0."""
        return _lift((self.unit[first] * self.unit[second]).sum(axis=1))

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) summed estimated lift of each product with those of ``codes``."""
        return _lift(self.unit @ self.unit[codes].T).sum(axis=1)


def propagated(graph: sparse.csr_matrix, own: Floats, layers: int) -> Floats:
    """Return the mean of (nodes, dimensions) embeddings and of their layers."""
    layer, total = own, own.copy()
    for _ in range(layers):
        layer = graph @ layer
        total += layer
    return total / np.float32(layers + 1)


def softmax_loss(final: Floats, first: Ints, second: Ints) -> tuple[float, Floats]:
    """Return the mean -log share of each pair's second among all seconds of the batch, and its gradient.

    The seconds come by popularity, so that it is divided out (Oord et al., 2018, Representation learning with
    contrastive predictive coding). A second that is the row's own product, or its answer once more, is passed over.

    Parameters
    ----------
    final
        (products, dimensions).
    first, second
        (pairs,) product codes bought together.
    """
    left, right = final[first], final[second]
    scores = left @ right.T
    passed = (second[None, :] == second[:, None]) | (second[None, :] == first[:, None])
    np.fill_diagonal(passed, False)
    scores[passed] = -np.inf
    scores -= scores.max(axis=1, keepdims=True)
    right_one = np.diag(scores).copy()
    np.exp(scores, out=scores)
    totals = scores.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(totals[:, 0]) - right_one))
    scores /= totals
    scores[np.diag_indices_from(scores)] -= 1.0
    scores /= len(first)
    slope = np.zeros_like(final)
    np.add.at(slope, first, scores @ right)
    np.add.at(slope, second, scores.T @ left)
    return loss, slope


class _Pairs:
    """Draws pairs of a set of baskets: a line, and another of its basket."""

    def __init__(self, baskets: IndexedBaskets, chosen: NDArray[np.bool_]) -> None:
        sizes = np.diff(baskets.starts)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        self.lines = np.flatnonzero(chosen[owner] & (sizes[owner] > 1))
        self._items, self._starts, self._sizes, self._owner = baskets.items, baskets.starts, sizes, owner

    def drawn(self, pairs: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        line = rng.choice(self.lines, pairs)
        start, size = self._starts[self._owner[line]], self._sizes[self._owner[line]]
        other = start + (line - start + rng.integers(1, size)) % size
        return self._items[line].astype(np.int64), self._items[other].astype(np.int64)


class _Adam:
    """Adam over some arrays, changed in place."""

    def __init__(self, parts: Sequence[Floats], rate: float) -> None:
        self._parts, self._rate, self._time = parts, rate, 0
        self._mean = [np.zeros_like(part) for part in parts]
        self._square = [np.zeros_like(part) for part in parts]

    def step(self, slopes: Sequence[Floats]) -> None:
        self._time += 1
        rate = np.float32(self._rate * np.sqrt(1 - 0.999**self._time) / (1 - 0.9**self._time))
        for part, slope, mean, square in zip(self._parts, slopes, self._mean, self._square, strict=True):
            mean += np.float32(0.1) * (slope - mean)
            square += np.float32(0.001) * (slope * slope - square)
            part -= rate * mean / (np.sqrt(square) + np.float32(1e-8))


def _graph(baskets: IndexedBaskets, least: int, customers: int) -> sparse.csr_matrix:
    """Return the symmetric (products + customers)^2 matrix A of the module's head."""
    products = len(baskets.product_ids)
    first, second, _, _ = count_pairs(baskets, least)
    owner = np.repeat(baskets.customers, np.diff(baskets.starts))
    is_known = owner >= 0
    bought = np.unique(owner[is_known].astype(np.int64) * products + baskets.items[is_known])
    left = np.concatenate([first, bought // products + products])
    right = np.concatenate([second, bought % products])
    n = products + customers
    edges = sparse.csr_matrix((np.ones(len(left), np.float32), (left, right)), (n, n))
    edges = edges + edges.T + sparse.identity(n, np.float32, "csr")
    scale = sparse.diags_array(1 / np.sqrt(np.asarray(edges.sum(axis=1)).ravel())).astype(np.float32)
    return sparse.csr_matrix(scale @ edges @ scale)


def _lift(exponents: NDArray[np.floating]) -> Reals:
    return np.exp(np.minimum(exponents.astype(np.float64), LARGEST_EXPONENT))
