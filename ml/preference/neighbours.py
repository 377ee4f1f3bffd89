"""Baselines that look at the neighbours: of the products a customer buys, or of the customer."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.errors import ConfigError
from ml.influence import counted, influence
from ml.preference.baselines import Counting, popularity
from ml.preference.contract import check_fitted, read_facts, write_facts
from ml.preference.history import Ints, positions

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Grid:
    """The baskets before a cut as sparse rows, and where the asked rows stand among them.

    Attributes
    ----------
    held
        (baskets, products) 1 where the basket holds the product.
    owner, recency, is_giant, is_counted
        (baskets,) customer, -1 where unknown; how many baskets of the customer are newer; whether it is giant, and
        whether it tells others what is bought together.
    baskets_of, is_bounded
        (customers,) number of baskets; whether :func:`ml.influence.influence` bounds what others learn from them.
    who, asked_customer, asked_product
        The asked customers as numbers, -1 for one never seen; row of ``who`` and product of each asked row.
    """

    held: sparse.csr_matrix
    owner: Ints
    recency: Ints
    is_giant: NDArray[np.bool_]
    is_counted: NDArray[np.bool_]
    baskets_of: Ints
    is_bounded: NDArray[np.bool_]
    who: Ints
    asked_customer: Ints
    asked_product: Ints

    @classmethod
    def of(cls, before: pl.DataFrame, asked: pl.DataFrame) -> "_Grid":
        ordered = before.sort("customer_id", "basket_on", "basket_id", descending=[False, True, True])
        customers = ordered["customer_id"].drop_nulls().unique().sort()
        owner = positions(ordered["customer_id"], customers)
        lines = ordered.select(product_id="product_ids").with_row_index("basket").explode("product_id")
        lines = lines.drop_nulls().unique()
        products = lines["product_id"].unique().sort()
        at = (lines["basket"].to_numpy(), positions(lines["product_id"], products))
        names = asked["customer_id"].unique().sort()
        return cls(
            sparse.csr_matrix((np.ones(lines.height), at), (ordered.height, len(products))),
            owner,
            np.arange(len(owner)) - np.searchsorted(owner, owner),
            ordered["is_giant"].to_numpy(),
            np.isin(np.arange(len(owner)), _teaching(ordered)),
            np.bincount(owner[owner >= 0], minlength=max(len(customers), 1)),  # there may be nobody known
            customers.is_in(influence(before)["customer_id"].implode()).to_numpy(),
            positions(names, customers),
            positions(asked["customer_id"], names),
            positions(asked["product_id"], products),
        )

    def by_customer(self, weights: Floats) -> sparse.csr_matrix:
        """Return the (customers, products) sums of each customer's baskets, weighted by (baskets,) weights."""
        known = np.flatnonzero(self.owner >= 0)
        shape = (len(self.baskets_of), len(self.owner))
        return sparse.csr_matrix((weights[known], (self.owner[known], known)), shape) @ self.held

    def answers(self, scores: Floats) -> Floats:
        """Return the (rows,) entry of each asked row in (who, products) scores; 0 for products never sold."""
        if not scores.shape[1]:
            return np.zeros(len(self.asked_product))
        return np.where(self.asked_product >= 0, scores[self.asked_customer, self.asked_product], 0.0)


def _teaching(ordered: pl.DataFrame) -> Ints:
    """Return the places of the baskets that others learn from."""
    placed = ordered.select("customer_id", "is_giant").with_row_index("place")
    return counted(placed.filter(~pl.col("is_giant")))["place"].to_numpy().astype(np.int64)


class ItemCosine(Counting):
    """P = s / (1 + s), s the summed cosine of baskets between the product and what the customer bought.

    Each of the customer's products counts by its share of their baskets; the likeness of a product with itself does
    not. A customer without a past gets 0 for everything. Giant baskets, and those that :func:`ml.influence.counted`
    leaves out, say nothing about likeness.

    Source
    ------
    Deshpande and Karypis (2004), Item-based top-N recommendation algorithms, ACM TOIS 22(1).
    """

    kind = "item_cosine"

    def _at(self, before: pl.DataFrame, asked: pl.DataFrame) -> pl.Series:
        grid = _Grid.of(before, asked)
        taste = rows_of(grid.by_customer(1 / np.maximum(grid.baskets_of, 1)[grid.owner]), grid.who)
        held = grid.held[grid.is_counted]
        sold = np.asarray(held.sum(axis=0)).ravel()
        scale = sparse.diags(1 / np.sqrt(np.maximum(sold, 1)))
        # From left to right, so that the matrix of all pairs is never made.
        likeness = ((taste @ scale) @ held.T @ held @ scale - taste @ sparse.diags(np.sign(sold))).toarray()
        summed = np.maximum(grid.answers(likeness), 0.0)
        return pl.Series("p", summed / (1 + summed))


@dataclass(frozen=True)
class TifuKnnParams:
    """Of :class:`TifuKnn`; the defaults are those the authors publish for Ta-Feng, a grocer's data too.

    Parameters
    ----------
    neighbours
        Customers who vote, k.
    groups
        Into how many groups of consecutive baskets a past is cut, m.
    basket_decay, group_decay
        What one step back within a group, or from group to group, counts: r_b and r_g.
    own_share
        Weight of the customer against the neighbours, alpha.

    Raises
    ------
    ConfigError
        When a number is out of range.
    """

    neighbours: int = 300
    groups: int = 7
    basket_decay: float = 0.9
    group_decay: float = 0.7
    own_share: float = 0.7

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.groups < 1:
            raise ConfigError("tifu_knn: neighbours and groups must be at least 1")
        if not all(0 <= share <= 1 for share in (self.basket_decay, self.group_decay, self.own_share)):
            raise ConfigError("tifu_knn: decays and own_share must lie in 0 to 1")


class TifuKnn(Counting):
    """P blends a customer's decayed frequencies with those of the customers most like them.

    A past of n baskets is cut from its end into at most m groups of ceil(n / m). A group is the mean of its baskets,
    each r_b^steps, the customer the mean of the groups, each r_g^steps; the neighbours are the k nearest by Euclidean
    distance, without those whose influence is bounded and without giant baskets. A customer without a past gets the
    popularity.

    Source
    ------
    Hu, He, Gao and Zhang (2020), Modeling personalized item frequency information for next-basket recommendation,
    SIGIR.
    """

    kind: ClassVar[str] = "tifu_knn"

    def __init__(self, params: TifuKnnParams | None = None) -> None:
        super().__init__()
        self.params = params or TifuKnnParams()

    def save(self, folder: Path) -> None:
        """Write the parameters as JSON."""
        check_fitted(self._is_fitted, self.kind)
        write_facts(folder, self.kind, {"params": asdict(self.params)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        model = cls(TifuKnnParams(**read_facts(folder)["params"]))
        model._is_fitted = True
        return model

    def _at(self, before: pl.DataFrame, asked: pl.DataFrame) -> pl.Series:
        grid, wanted = _Grid.of(before, asked), self.params
        baskets = np.where(grid.owner >= 0, grid.baskets_of[grid.owner] if len(grid.baskets_of) else 1, 1)
        weights = basket_weights(grid.recency, baskets, wanted)
        mine = rows_of(grid.by_customer(weights), grid.who)
        voting = grid.by_customer(np.where(grid.is_giant, 0.0, weights))
        votes = nearest_others(voting, mine, grid.who, grid.is_bounded, wanted.neighbours) @ voting
        blend = wanted.own_share * mine + (1 - wanted.own_share) * votes
        is_known = (grid.who >= 0)[grid.asked_customer]
        return pl.Series("p", np.where(is_known, grid.answers(blend.toarray()), popularity(before, asked).to_numpy()))


def basket_weights(recency: Ints, baskets: Ints, params: TifuKnnParams) -> Floats:
    """Return (baskets,) what each basket counts in its customer's vector.

    Parameters
    ----------
    recency, baskets
        How many baskets of the same customer are newer, and how many the customer has.
    """
    size = -(-baskets // params.groups)
    group, step = recency // size, recency % size
    in_group = np.minimum(size, baskets - group * size).clip(min=1)
    groups = -(-baskets // size)
    return np.asarray(params.basket_decay**step / in_group * params.group_decay**group / groups)


def rows_of(matrix: sparse.csr_matrix, rows: Ints) -> sparse.csr_matrix:
    """Return rows of a matrix, empty ones for -1."""
    padded = sparse.vstack([matrix, sparse.csr_matrix((1, matrix.shape[1]))], format="csr")
    return padded[np.where(rows >= 0, rows, matrix.shape[0])]


def nearest_others(
    voting: sparse.csr_matrix, mine: sparse.csr_matrix, who: Ints, is_bounded: NDArray[np.bool_], neighbours: int
) -> sparse.csr_matrix:
    """Return (asked, customers) 1 / k for each of the k nearest others who have a vote; ties go to the first.

    Parameters
    ----------
    voting
        (customers, products) vectors without giant baskets; who has none left is silent, as are the bounded.
    mine, who
        (asked, products) vectors of the asked customers, and their numbers, -1 for one never seen.
    """
    is_silent = is_bounded | (np.asarray(voting.sum(axis=1)).ravel() == 0)
    length = np.asarray(voting.multiply(voting).sum(axis=1)).ravel()
    # The asked customer's own length is the same for all others: it changes no order.
    distance = length[None, :] - 2 * (mine @ voting.T).toarray()
    seen = np.flatnonzero(who >= 0)
    distance[seen, who[seen]] = np.inf
    distance[:, is_silent] = np.inf
    k = min(neighbours, max(voting.shape[0] - 1 - int(is_silent.sum()), 0))
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :k]
    rows = np.repeat(np.arange(len(who)), k)
    return sparse.csr_matrix((np.full(rows.size, 1 / max(k, 1)), (rows, nearest.ravel())), distance.shape)
