"""What the baskets before a morning say about each product for a customer: the columns that rolling trees learn from.

Nothing of the day asked about or later is looked at, whoever bought it.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.influence import influence, ordinary
from ml.preference.history import Ints, days, positions
from ml.preference.neighbours import TifuKnnParams, basket_weights, nearest_others, rows_of

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
PROPOSED = {"cosine": 150, "neighbours": 150, "cosine_last": 80}
PROPOSED_TO_ALL = {"popularity_28_days": 100, "popularity_7_days": 60}
"""Products that each column proposes, beside all that the customer bought."""
BLOCK_CELLS = 1_000_000
KNN = TifuKnnParams()


class Signals:
    """The columns of candidates, products sold before, for any customer on any morning.

    Giant baskets and those of bounded customers speak for their own customer alone; not even the few that elsewhere
    count for everybody do, since one is enough to make a product look freshly sold.

    Parameters
    ----------
    baskets, products
        Rows of ``features.ftr_baskets`` and ``features.ftr_products``, the latter ordered by product.
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

    def at(self, morning: date) -> "Morning":
        """Return what the baskets before a morning say."""
        return Morning(self, morning)


class Morning:
    """All that is counted once a morning.

    Attributes
    ----------
    by_popularity
        The codes of all products, those in the most baskets first.
    """

    def __init__(self, shop: Signals, morning: date) -> None:
        n = int(np.searchsorted(shop._day, (morning - date(1970, 1, 1)).days))
        before, self._held, owner = shop._baskets[:n], shop._held[:n], shop._owner[:n]
        self._shelf, self._names = shop._shelf, shop._customers
        self._customers = len(self._names)
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
        weight = basket_weights(self._newer, self._total[self._owner], KNN)
        self._taste = self._summed(weight)
        self._voting = self._summed(np.where(before["is_giant"].to_numpy()[self._known], 0.0, weight))
        self._is_bounded = self._names.is_in(influence(before)["customer_id"].implode()).to_numpy()
        self._crowd(before, owner)

    def _crowd(self, before: pl.DataFrame, owner: Ints) -> None:
        """Count what everybody bought, in baskets that count for everybody."""
        rows = ordinary(before)["place"].to_numpy().astype(np.int64)
        held, age = self._held[rows], self._age[rows]
        baskets = np.asarray(held.sum(axis=0)).ravel()
        self._all = held @ sparse.diags_array(1 / np.sqrt(np.maximum(baskets, 1)))
        self._sold = sparse.diags_array((baskets > 0).astype(float))
        self._is_sold = np.asarray(self._held.sum(axis=0)).ravel() > 0
        recent = [(age <= window).astype(float) for window in WINDOWS]
        self.by_popularity = np.argsort(-baskets, kind="stable")
        ever, month, week = (np.log((held.T @ one + 0.1) / (one.sum() + 1)) for one in recent)
        known = np.flatnonzero(owner[rows] >= 0)
        at = (owner[rows][known], known)
        bought = sparse.csr_matrix((np.ones(len(known)), at), (self._customers, len(rows))) @ held
        buyers = np.asarray((bought > 0).sum(axis=0)).ravel()
        again = np.log((np.asarray(bought.sum(axis=0)).ravel() + 1) / (buyers + 1))
        since = np.full(held.shape[1], NEVER_DAYS)
        entries = held.tocoo()
        np.minimum.at(since, entries.col, age[entries.row])
        self._of_all = {
            "popularity": ever, "popularity_28_days": month, "popularity_7_days": week, "trend": month - ever,
            "bought_again_ratio": again, "days_since_sold": np.log1p(since),
        }  # fmt: skip
        best = [np.argsort(-self._of_all[name], kind="stable")[:most] for name, most in PROPOSED_TO_ALL.items()]
        self._proposed = np.unique(np.concatenate(best))

    def _summed(self, weights: Floats) -> sparse.csr_matrix:
        shape = (self._customers, self._held.shape[0])
        return sparse.csr_matrix((weights, (self._owner, self._known)), shape) @ self._held

    def _share(self, weights: Floats) -> sparse.csr_matrix:
        total = np.bincount(self._owner, weights, minlength=self._customers)
        return self._summed(weights / np.maximum(total[self._owner], 1e-300))

    def _cosine(self, taste: sparse.csr_matrix) -> Floats:
        """Return the summed cosine of baskets with a taste, without the likeness of a product with itself."""
        near = taste @ self._all.T @ self._all - taste @ self._sold
        return np.maximum(near.toarray(), 0.0)

    def of(self, customers: Sequence[str]) -> Iterator[tuple[Ints, Columns]]:
        """Yield for each customer the codes of the candidates, ascending, and their (candidates, columns)."""
        step = max(1, BLOCK_CELLS // max(self._held.shape[1], 1))
        for start in range(0, len(customers), step):
            yield from self._candidates(positions(pl.Series(customers[start : start + step]), self._names))

    def _candidates(self, who: Ints) -> Iterator[tuple[Ints, Columns]]:
        """Yield the same of customers by number, -1 for one never seen."""
        own, last, bought, mine = (rows_of(m, who) for m in (self._shares[0], self._last, self._bought, self._taste))
        votes = (nearest_others(self._voting, mine, who, self._is_bounded, KNN.neighbours) @ self._voting).toarray()
        size = np.maximum(np.asarray(last.sum(axis=1)).reshape(-1, 1), 1)
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
        dense |= {name: rows_of(m, who).toarray() for name, m in zip(names, self._shares[1:], strict=True)}
        total = np.log1p(np.where(who >= 0, self._total[who] if self._customers else 0, 0))
        for row in range(len(who)):
            liked = [np.argsort(-dense[name][row], kind="stable")[:most] for name, most in PROPOSED.items()]
            codes = np.unique(np.concatenate([np.flatnonzero(dense["baskets"][row]), self._proposed, *liked]))
            codes = codes[self._is_sold[codes]]
            columns = [
                dense[name][row, codes] if name in dense
                else self._of_all[name][codes] if name in self._of_all
                else np.full(len(codes), total[row])
                for name in COLUMNS
            ]  # fmt: skip
            yield codes, np.stack(columns, axis=1).astype(np.float32)

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
