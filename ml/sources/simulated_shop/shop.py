"""The simulated shop as a source: any stretch of days of one and the same history."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl
from tqdm import tqdm

from ml.errors import NothingToDo
from ml.sources.delivery import Delivery, fingerprint
from ml.sources.simulated_shop.catalogue import customers, given_bundles, lead_times, own_bundles, products
from ml.sources.simulated_shop.happenings import LATEST_CONSEQUENCE_DAYS, Numbers, counts, happenings
from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.records import bundle_ids, write_records
from ml.sources.simulated_shop.shopping import Shoppers
from ml.sources.simulated_shop.truth import Size
from ml.sources.simulated_shop.world import draw_truth
from ml.sources.validation import RECORD


class SimulatedShop:
    """A shop drawn from a seed.

    What happened up to a day does not depend on the as-of date it is asked for, so loading day by day and loading
    at once give the same tables.

    Parameters
    ----------
    size
        Customers, products and days before the first as-of date.
    seed
        Of every random choice.

    Attributes
    ----------
    truth
        The hidden causes, for tests and benchmarks; no table holds them.
    """

    def __init__(self, size: Size, seed: int) -> None:
        self.size, self.seed = size, seed
        self.truth = draw_truth(size, seed)
        self._market = Market(self.truth)
        self._bundles = own_bundles(self.truth)

    def deliveries(self, as_of: date, loaded_through: dict[str, date]) -> Iterator[Delivery]:
        """Yield all tables for the days after the last loaded one, up to ``as_of``.

        Raises
        ------
        NothingToDo
            When the as-of date lies before the first day.
        """
        before = self.truth.first_day - timedelta(days=1)
        if as_of <= before:
            raise NothingToDo(f"simulated_shop has nothing of {as_of}: it begins on {self.truth.first_day}")
        since = loaded_through.get("order_items", before)
        if as_of <= since:
            return
        days = self._days(since, as_of)
        for table, records in self._tables(days, since, as_of).items():
            if records.height:
                key = fingerprint("simulated_shop", self.seed, self.size, table, since, as_of)
                yield Delivery(
                    table, f"{table} after {since} to {as_of}", key, records.with_row_index(RECORD, offset=1), as_of
                )

    def _tables(self, days: dict[str, pl.DataFrame], since: date, through: date) -> dict[str, pl.DataFrame]:
        bundles = given_bundles(self.truth, self._bundles, bundle_ids(len(self._bundles)))
        return {
            "customers": customers(self.truth, through),
            "products": products(self.truth, self._market, through),
            "orders": days["orders"],
            "events": days["events"],
            "reviews": days["reviews"],
            "stock_levels": days["stock_levels"],
            "promotions": self._market.promotions(since, through),
            "market_signals": self._market.signals(since, through),
            "bundle_feedback": days["bundle_feedback"],
            "sessions": days["sessions"],
            "given_bundles": bundles if since < self.truth.first_day else bundles.clear(),
            "lead_times": lead_times(self.truth, since, through),
            # The last, since it tells how far the shop is loaded: a load that broke off is taken up again.
            "order_items": days["order_items"],
        }

    def _days(self, since: date, through: date) -> dict[str, pl.DataFrame]:
        """Return the records dated after ``since`` and not after ``through``; earlier days are lived, not written."""
        truth, market = self.truth, self._market
        shoppers = Shoppers(truth, market)
        counted = np.full(len(truth.need_of), -1)
        written: dict[str, list[Numbers]] = {}
        span = range((through - truth.first_day).days + 1)
        for day in tqdm([truth.first_day + timedelta(days=d) for d in span], "simulating", disable=None, leave=False):
            sales = shoppers.day(day)
            changed = np.flatnonzero((sales.on_hand != counted) & market.is_listed(day))
            counted[changed] = sales.on_hand[changed]
            if day >= since - timedelta(days=LATEST_CONSEQUENCE_DAYS):
                caused = happenings(truth, market, self._bundles, day, sales)
                for table, numbers in (caused | {"stock_levels": counts(day, sales.on_hand, changed)}).items():
                    written.setdefault(table, []).append(numbers)
        return write_records(truth, len(self._bundles), written, since, through)
