"""What a policy's objective says of the pairs of a session."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer.objective import dense_pairs
from ml.policies.named import POLICIES
from ml.preference.history import positions
from ml.settings import Settings
from ml.trials.cuts import days_of
from ml.trials.outcome import Wishes
from ml.trials.parts import Associations, Preferences, margins
from ml.trials.sessions import Session
from ml.trials.shop import Files

PREFERENCE = "personal_decayed"
"""Of a session's customer; the popularity where nobody says whose it is."""


class SessionPolicy:
    """The worth of pairs under a policy, learned from baskets.

    Parameters
    ----------
    sessions
        All that will be asked about: what their customers like is found for all at once.
    baskets
        What is learned from.
    name
        One of :data:`ml.policies.named.POLICIES`.

    Raises
    ------
    DataError
        When there are no baskets to learn P and A from.
    """

    def __init__(
        self, files: Files, products: pl.DataFrame, baskets: pl.DataFrame, sessions: Sequence[Session], name: str,
        cut: date | None, seed: int, settings: Settings, wishes: Wishes,
    ) -> None:  # fmt: skip
        if baskets.is_empty():
            where = "where they stand in for sessions, those before a cut"
            raise DataError(f"bundle_generation: {name} needs orders to learn from; {where}")
        self._policy, self._names = POLICIES[name], products["product_id"]
        self._tied = Associations(wishes.association or self._policy.association, baskets, products, settings)
        after = days_of(baskets)[1] + timedelta(days=1)
        liked = Preferences(wishes.preference or PREFERENCE, baskets, products, cut or after, seed, settings)
        schema = {"customer_id": pl.String, "product_id": pl.String}
        rows = sorted({(one.customer, product) for one in sessions for product in one.product_ids}, key=_order)
        self._liked = dict(zip(rows, liked.each(pl.DataFrame(rows, schema, orient="row")), strict=True))
        self._margin = margins(files, products["product_id"])

    def among(self, session: Session) -> NDArray[np.float64]:
        """Return the (n, n) worth of the session's pairs, as a share of the largest."""
        ids = pl.Series(session.product_ids)
        codes = positions(ids, self._names)
        liked = np.array([self._liked[session.customer, product] for product in session.product_ids])
        left, right = np.triu_indices(len(codes), 1)
        tied = np.zeros((len(codes), len(codes)))
        tied[left, right] = self._tied.between(codes[left], codes[right])
        worth = dense_pairs(self._policy.objective, liked, tied + tied.T, self._margin[codes])
        return worth / max(float(worth.max()), 1e-300)


def _order(row: tuple[str | None, str]) -> tuple[str, str]:
    return row[0] or "", row[1]
