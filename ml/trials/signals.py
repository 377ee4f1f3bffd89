"""What the baskets before a morning say about each product for a customer: the columns that rolling trees learn from.

Nothing of the day asked about or later is looked at, whoever bought it.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.influence import counted
from ml.preference.history import Ints, days, positions
from ml.preference.neighbours import TifuKnnParams

Floats = NDArray[np.float64]
Columns = NDArray[np.float32]
DECAYS = (180.0, 60.0, 20.0)
"""Days after which a basket counts 1/e in a share of the customer's baskets."""
FADES = (0.9, 0.6)
"""What a basket counts for each newer one of the customer."""
WINDOWS = (1e9, 28.0, 7.0)
COLUMNS = (
    "share", *(f"share_{days:.0f}_days" for days in DECAYS), *(f"share_{fade}_baskets" for fade in FADES),
    "in_last", "baskets", "popularity", "popularity_28_days", "popularity_7_days", "trend", "cosine", "cosine_last",
    "neighbours", "personal_frequency_knn", "days_since_bought", "bought_again_ratio", "days_since_sold",
    "customer_baskets", "category_share",
)  # fmt: skip
NEVER_DAYS = 400.0
PROPOSED = {"cosine": 150, "neighbours": 150, "popularity_28_days": 100, "cosine_last": 80, "popularity_7_days": 60}
"""Products that each column proposes, beside all that the customer bought."""
BLOCK_CELLS = 1_000_000
KNN = TifuKnnParams()


class Signals:
    """The columns of candidates, products sold before, for any customer on any morning; what was found is kept.

    Parameters
    ----------
    baskets, products
        Rows of ``features.ftr_baskets`` and ``features.ftr_products``, the latter ordered by product.

    Attributes
    ----------
    by_popularity
        For each morning that was asked about the codes of all products, those in the most baskets first.
    """

    def __init__(self, baskets: pl.DataFrame, products: pl.DataFrame) -> None:
        self._baskets = baskets.sort("basket_on", "basket_id").with_row_index("place")
        names = products["product_id"]
        lines = self._baskets.select("place", "product_ids").explode("product_ids").drop_nulls()
        code = positions(lines["product_ids"], names)
        at = (lines["place"].to_numpy()[code >= 0], code[code >= 0])
        self._held = sparse.csr_matrix((np.ones(len(at[0])), at), (baskets.height, len(names)))
        self._day = days(self._baskets["basket_on"])
        self._customers = self._baskets["customer_id"].drop_nulls().unique().sort()
        self._owner = positions(self._baskets["customer_id"], self._customers)
        category = products["category_path"].fill_null("")
        number = (category.rank("dense") - 1).cast(pl.Int64).to_numpy()
        known = np.flatnonzero((category != "").to_numpy())
        shape = (len(names), int(number.max(initial=0)) + 1)
        self._shelf = sparse.csr_matrix((np.ones(len(known)), (known, number[known])), shape)
        self.by_popularity: dict[date, Ints] = {}
        self._found: dict[tuple[str, date], tuple[Ints, Columns]] = {}

    def of(self, customers: Sequence[str], morning: date) -> list[tuple[Ints, Columns]]:
        """Return for each customer the codes of the candidates, ascending, and their (candidates, columns)."""
        missing = [one for one in customers if (one, morning) not in self._found]
        if missing:
            state = _Morning(self, morning)
            self.by_popularity[morning] = np.argsort(-state.popularity, kind="stable")
            step = max(1, BLOCK_CELLS // max(self._held.shape[1], 1))
            for start in range(0, len(missing), step):
                block = missing[start : start + step]
                who = positions(pl.Series(block, dtype=pl.String), self._customers)
                for one, columns in zip(block, state.candidates(who), strict=True):
                    self._found[one, morning] = columns
        return [self._found[one, morning] for one in customers]


class _Morning:
    """All that is counted once a morning."""

    def __init__(self, shop: Signals, morning: date) -> None:
        n = int(np.searchsorted(shop._day, (morning - date(1970, 1, 1)).days))
        self._held, owner = shop._held[:n], shop._owner[:n]
        self._shelf, self._customers = shop._shelf, len(shop._customers)
        self._age = float((morning - date(1970, 1, 1)).days) - shop._day[:n].astype(float)
        self._known = np.flatnonzero(owner >= 0)
        self._owner = owner[self._known]
        self._total = np.bincount(self._owner, minlength=self._customers)
        order = np.lexsort((-self._known, self._owner))
        sorted_owner = self._owner[order]
        self._newer = np.empty(len(order), np.int64)
        self._newer[order] = np.arange(len(order)) - np.searchsorted(sorted_owner, sorted_owner)
        age = self._age[self._known]
        weights = [np.ones(len(age)), *(np.exp(-age / d) for d in DECAYS), *(fade**self._newer for fade in FADES)]
        self._shares = [self._share(weight) for weight in weights]
        self._last = self._summed((self._newer == 0).astype(float))
        self._bought = self._summed(np.ones(len(age)))
        self._taste = self._summed(self._group_weights())
        self._crowd(shop._baskets[:n])

    def _crowd(self, before: pl.DataFrame) -> None:
        """Count what everybody bought, in baskets that count for everybody."""
        rows = counted(before.filter(~pl.col("is_giant")))["place"].to_numpy().astype(np.int64)
        held, age = self._held[rows], self._age[rows]
        baskets = np.asarray(held.sum(axis=0)).ravel()
        self._all = held @ sparse.diags_array(1 / np.sqrt(np.maximum(baskets, 1)))
        self._sold = sparse.diags_array((baskets > 0).astype(float))
        self.is_sold = np.asarray(self._held.sum(axis=0)).ravel() > 0
        recent = [(age <= window).astype(float) for window in WINDOWS]
        self.popularity = baskets
        self._popular = [np.log((held.T @ one + 0.1) / (one.sum() + 1)) for one in recent]
        buyers = np.asarray((self._bought > 0).sum(axis=0)).ravel()
        self._again = np.log((np.asarray(self._bought.sum(axis=0)).ravel() + 1) / (buyers + 1))
        since = np.full(held.shape[1], NEVER_DAYS)
        entries = held.tocoo()
        np.minimum.at(since, entries.col, age[entries.row])
        self._since = np.log1p(since)

    def _summed(self, weights: Floats) -> sparse.csr_matrix:
        shape = (self._customers, self._held.shape[0])
        return sparse.csr_matrix((weights, (self._owner, self._known)), shape) @ self._held

    def _share(self, weights: Floats) -> sparse.csr_matrix:
        total = np.bincount(self._owner, weights, minlength=self._customers)
        return self._summed(weights / np.maximum(total[self._owner], 1e-300))

    def _group_weights(self) -> Floats:
        """Return what each basket counts in its customer's vector; see :class:`ml.preference.neighbours.TifuKnn`."""
        baskets = self._total[self._owner]
        size = -(-baskets // KNN.groups)
        group, step = self._newer // size, self._newer % size
        in_group = np.minimum(size, baskets - group * size).clip(min=1)
        weight: Floats = KNN.basket_decay**step / in_group * KNN.group_decay**group / -(-baskets // size)
        return weight

    def _cosine(self, taste: sparse.csr_matrix) -> Floats:
        """Return the summed cosine of baskets with a taste, without the likeness of a product with itself."""
        near = taste @ self._all.T @ self._all - taste @ self._sold
        return np.maximum(near.toarray(), 0.0)

    def _votes(self, who: Ints, mine: sparse.csr_matrix) -> Floats:
        """Return the mean vector of the customers most like each."""
        length = np.asarray(self._taste.multiply(self._taste).sum(axis=1)).ravel()
        length[self._total == 0] = np.inf
        apart = length[None, :] - 2 * (mine @ self._taste.T).toarray()
        seen = np.flatnonzero(who >= 0)
        apart[seen, who[seen]] = np.inf
        k = min(KNN.neighbours, int((self._total > 0).sum()) - 1)
        if k < 1:
            return np.zeros((len(who), self._held.shape[1]))
        near = np.argpartition(apart, k - 1, axis=1)[:, :k]
        picked = (np.full(near.size, 1 / k), (np.repeat(np.arange(len(who)), k), near.ravel()))
        votes: Floats = (sparse.csr_matrix(picked, apart.shape) @ self._taste).toarray()
        return votes

    def candidates(self, who: Ints) -> list[tuple[Ints, Columns]]:
        """Return codes and columns of the candidates of customers by number, -1 for one never seen."""
        own, last, bought, mine = (_rows(m, who) for m in (self._shares[0], self._last, self._bought, self._taste))
        votes, size = self._votes(who, mine), np.maximum(np.asarray(last.sum(axis=1)).reshape(-1, 1), 1)
        dense: dict[str, Floats] = {
            "share": own.toarray(), "in_last": last.toarray(), "baskets": np.log1p(bought.toarray()),
            "cosine": np.log1p(10 * self._cosine(own)),
            "cosine_last": np.log1p(100 * self._cosine(last) / size),
            "neighbours": np.log1p(100 * votes),
            "personal_frequency_knn": KNN.own_share * mine.toarray() + (1 - KNN.own_share) * votes,
            "days_since_bought": np.log1p(self._days_since(who)),
            "category_share": (own @ self._shelf @ self._shelf.T).toarray(),
        }  # fmt: skip
        names = [name for name in COLUMNS if name.startswith("share_")]
        dense |= {name: _rows(m, who).toarray() for name, m in zip(names, self._shares[1:], strict=True)}
        ever, month, week = self._popular
        everybody = {
            "popularity": ever, "popularity_28_days": month, "popularity_7_days": week, "trend": month - ever,
            "bought_again_ratio": self._again, "days_since_sold": self._since,
        }  # fmt: skip
        total = np.log1p(np.where(who >= 0, self._total[who] if self._customers else 0, 0))
        found = []
        for row in range(len(who)):
            proposed = [np.flatnonzero(dense["baskets"][row])]
            for name, most in PROPOSED.items():
                values = everybody[name] if name in everybody else dense[name][row]
                proposed.append(np.argsort(-values, kind="stable")[:most])
            codes = np.unique(np.concatenate(proposed))
            codes = codes[self.is_sold[codes]]
            columns = [
                dense[name][row, codes] if name in dense
                else everybody[name][codes] if name in everybody
                else np.full(len(codes), total[row])
                for name in COLUMNS
            ]  # fmt: skip
            found.append((codes, np.stack(columns, axis=1).astype(np.float32)))
        return found

    def _days_since(self, who: Ints) -> Floats:
        """Return the (customers, products) days since the customer last bought each product."""
        since = np.full((len(who), self._held.shape[1]), NEVER_DAYS)
        place = np.full(max(self._customers, 1), -1)
        place[who[who >= 0]] = np.flatnonzero(who >= 0)
        rows = place[self._owner]
        asked = self._known[rows >= 0]
        entries = self._held[asked].tocoo()
        np.minimum.at(since, (rows[rows >= 0][entries.row], entries.col), self._age[asked][entries.row])
        return since


def _rows(matrix: sparse.csr_matrix, rows: Ints) -> sparse.csr_matrix:
    """Return rows of a matrix, empty ones for -1."""
    kept = np.flatnonzero(rows >= 0)
    picked = sparse.csr_matrix((np.ones(len(kept)), (kept, rows[kept])), (len(rows), matrix.shape[0]))
    return picked @ matrix
