"""Customers' baskets and events as windows of tokens, the form in which a sequence model reads them."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.preference.actions import BASKET, lines_of
from ml.preference.history import History, days, positions

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

CLOCKS_DAYS = (30.0, 180.0, np.inf)
"""Over which habits fade by 1/e; the last never forgets."""


@dataclass(frozen=True)
class Windows:
    """W windows of up to T consecutive tokens each, and what the customer bought before the first of them.

    A token is a visit (the baskets of one customer and day) or a run of events of one kind on one day.

    Attributes
    ----------
    day, kind
        (W, T) days since 1970, oldest first, -1 after the last token; what it is, see
        :data:`ml.preference.actions.ACTIONS`.
    counted
        (W,) first token that counts in the loss; those before it are context, and another window has counted them.
    starts
        (W + 1,) first line of each window, and the end.
    slot, product
        (L,) which token of its window a line is in, and its product; each product once a token.
    habit_starts, habit_product, habit
        (W + 1,) first habit of each window, and the end; (H,) products of the visits before the window; (H, clocks)
        how many of these visits held it, each counted exp(-age / clock), age in days at the window's first token.
    earlier
        (W, clocks) all these visits, counted alike.
    """

    day: Ints
    kind: Ints
    counted: Ints
    starts: Ints
    slot: Ints
    product: Ints
    habit_starts: Ints
    habit_product: Ints
    habit: Floats
    earlier: Floats

    def __len__(self) -> int:
        return len(self.day)

    def some(self, which: Ints) -> "Windows":
        """Return the windows ``which``, in that order."""
        starts, lines = ranges(self.starts[which], self.starts[which + 1])
        habit_starts, habits = ranges(self.habit_starts[which], self.habit_starts[which + 1])
        return Windows(
            self.day[which],
            self.kind[which],
            self.counted[which],
            starts,
            self.slot[lines],
            self.product[lines],
            habit_starts,
            self.habit_product[habits],
            self.habit[habits],
            self.earlier[which],
        )


@dataclass(frozen=True)
class Tokens:
    """All tokens of a shop's customers, ordered by customer and time.

    Baskets have no instant: a visit stands where the day's first purchase event does, and before the events of a day
    that has none. What a visit holds is predicted from the tokens of earlier days alone, as a cut in the morning has
    it; which action comes next, from all tokens before it.

    Attributes
    ----------
    day, kind
        (tokens,) days since 1970; what it is.
    starts, product
        (tokens + 1,) first line of each token, and the end; (lines,) products, each once a token.
    begins
        (customers + 1,) first token of each customer, and the end.
    """

    day: Ints
    kind: Ints
    starts: Ints
    product: Ints
    begins: Ints

    @classmethod
    def of(cls, history: History, events: pl.DataFrame | None = None) -> "Tokens":
        """Return the tokens of a history, and of events as :func:`ml.preference.actions.lines_of` takes them.

        Lines without a customer are nobody's; customers without a basket have no history.
        """
        own = slice(int(history.starts[0]), None)
        customer, day, product = history.customer[own], history.day[own], history.product[own]
        kind, run = np.full(len(day), BASKET), np.zeros(len(day), np.int64)
        if events is not None and not events.is_empty():
            lines = lines_of(events).filter(pl.col("customer_id").is_in(history.customers.implode()))
            run = _places(lines.filter(pl.col("action") == BASKET), history, customer, day)
            lines = lines.filter(pl.col("action") != BASKET)
            customer = np.concatenate([customer, positions(lines["customer_id"], history.customers)])
            day = np.concatenate([day, days(lines["occurred_on"])])
            product = np.concatenate([product, positions(lines["product_id"], history.products)])
            kind = np.concatenate([kind, lines["action"].to_numpy().astype(np.int64)])
            run = np.concatenate([run, lines["run"].to_numpy().astype(np.int64)])
        order = np.lexsort((product, run, day, customer))
        customer, day, run, kind, product = (part[order] for part in (customer, day, run, kind, product))
        is_new = np.ones(len(customer), bool)
        is_new[1:] = (np.diff(customer) != 0) | (np.diff(day) != 0) | (np.diff(run) != 0)
        token = np.cumsum(is_new) - 1
        is_line = product >= 0  # an event about no known product is a token without lines
        is_line[1:] &= is_new[1:] | (np.diff(product) != 0)
        first = np.flatnonzero(is_new)
        return cls(
            day[first],
            kind[first],
            np.searchsorted(token[is_line], np.arange(len(first) + 1)),
            product[is_line],
            np.searchsorted(customer[first], np.arange(len(history.customers) + 1)),
        )

    def log_odds(self, products: int, before: int) -> Floats:
        """Return (products + 1,) log odds of a visit before a day to hold each; the first as one never sold."""
        visits = np.flatnonzero((self.kind == BASKET) & (self.day < before))
        lines = ranges(self.starts[visits], self.starts[visits + 1])[1]
        counts = np.bincount(self.product[lines] + 1, minlength=products + 1)
        share = (counts + 0.5) / (len(visits) + 1.0)
        return np.log(share / np.maximum(1 - share, 1e-3)).astype(np.float32)

    def learning(self, length: int, before: int) -> Windows:
        """Return windows that together hold every token on days earlier than ``before``; neighbours overlap by half.

        So each visit is predicted once, from at least half a window where the customer has that many.
        """
        half = max(1, length // 2)
        spans, counted, owner = [], [], []
        for who, (begin, end) in enumerate(zip(self.begins[:-1], self.begins[1:], strict=True)):
            last = begin + np.searchsorted(self.day[begin:end], before)
            for first in range(begin, max(last - half, begin + (last > begin)), half):
                spans.append((first, min(first + length, last)))
                counted.append(0 if first == begin else length - half)
                owner.append(who)
        return self._cut(np.array(spans, np.int64).reshape(-1, 2), counted, owner, length)

    def last(self, customers: Ints, cuts: Ints, length: int) -> Windows:
        """Return one window a request: the customer's last tokens strictly before the cut.

        Parameters
        ----------
        customers, cuts
            (requests,) customer numbers, -1 for a stranger, and days since 1970.
        """
        spans = np.zeros((len(customers), 2), np.int64)
        for row, (customer, cut) in enumerate(zip(customers, cuts, strict=True)):
            if customer >= 0:
                begin, end = self.begins[customer], self.begins[customer + 1]
                last = begin + np.searchsorted(self.day[begin:end], cut)
                spans[row] = max(begin, last - length), last
        return self._cut(spans, [0] * len(spans), customers.tolist(), length)

    def _cut(self, spans: Ints, counted: list[int], owner: list[int], length: int) -> Windows:
        token_starts, tokens = ranges(spans[:, 0], spans[:, 1])
        row = np.repeat(np.arange(len(spans)), np.diff(token_starts))
        slot = np.arange(len(tokens)) - token_starts[row]
        day, kind = (np.full((len(spans), length), -1, np.int64) for _ in range(2))
        day[row, slot], kind[row, slot] = self.day[tokens], self.kind[tokens]
        line_starts, lines = ranges(self.starts[tokens], self.starts[tokens + 1])
        begins = np.where(np.diff(spans)[:, 0] > 0, self.begins[np.array(owner, np.int64)], spans[:, 0])
        return Windows(
            day,
            kind,
            np.array(counted, np.int64),
            line_starts[token_starts],
            np.repeat(slot, np.diff(line_starts)),
            self.product[lines],
            *self._habits(begins, spans[:, 0]),
        )

    def _habits(self, begins: Ints, ends: Ints) -> tuple[Ints, Ints, Floats, Floats]:
        """Return ``habit_starts``, ``habit_product``, ``habit`` and ``earlier`` of visits from begins to ends."""
        starts, visits = ranges(begins, ends)
        row = np.repeat(np.arange(len(begins)), np.diff(starts))
        is_visit = self.kind[visits] == BASKET
        visits, row = visits[is_visit], row[is_visit]
        age = self.day[ends[row]] - self.day[visits]
        weight = np.exp(-age[:, None] / np.array(CLOCKS_DAYS)).astype(np.float32)  # (visits, clocks)
        line_starts, lines = ranges(self.starts[visits], self.starts[visits + 1])
        of_visit = np.repeat(np.arange(len(visits)), np.diff(line_starts))
        span = int(self.product.max(initial=0)) + 1
        keys, at = np.unique(row[of_visit] * span + self.product[lines], return_inverse=True)
        habit_starts = np.searchsorted(keys // span, np.arange(len(begins) + 1))
        return habit_starts, keys % span, _sums(at, weight[of_visit], len(keys)), _sums(row, weight, len(begins))


def ranges(first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Return where each range from first to end begins in their concatenation, and the concatenation."""
    starts = np.concatenate([[0], np.cumsum(end - first)]).astype(np.int64)
    return starts, np.repeat(first - starts[:-1], end - first) + np.arange(starts[-1])


def _places(purchases: pl.DataFrame, history: History, customer: Ints, day: Ints) -> Ints:
    """Return (lines,) the run at which each line's customer first purchased on its day; 0 where no event says so."""
    lines = pl.DataFrame({"customer": customer, "day": day})
    first = pl.DataFrame(
        {
            "customer": positions(purchases["customer_id"], history.customers),
            "day": days(purchases["occurred_on"]),
            "run": purchases["run"].cast(pl.Int64),
        }
    )
    found = lines.join(first, on=["customer", "day"], how="left", maintain_order="left")["run"]
    return found.fill_null(0).to_numpy()


def _sums(at: Ints, values: Floats, size: int) -> Floats:
    """Return (size, columns) sums of the rows of ``values`` by their place ``at``."""
    columns = [np.bincount(at, column, size) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float32)
