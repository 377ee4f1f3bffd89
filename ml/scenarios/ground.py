"""What scenarios stand on: the features of a day, the personal run of that day and the merchandiser's rules.

Nothing is read before it is asked for, and then once.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import polars as pl

from ml.errors import DataError
from ml.params import Context
from ml.publishing.published import published_run
from ml.scenarios.rules import Rules
from ml.settings import Settings
from ml.tables import (
    ASSOCIATIONS,
    BASKETS,
    BUNDLE_ITEMS,
    BUNDLES,
    CANDIDATES,
    CUSTOMER_PRODUCTS,
    CUSTOMERS,
    EVENTS,
    LEAD_TIMES,
    MARKET_SIGNALS,
    MERCH_RULES,
    PRODUCT_DAYS,
    PRODUCT_FACTS,
    PRODUCTS,
    PROMOTIONS,
    SENSITIVE_CATEGORIES,
    STOCK_OUTS,
    Table,
)
from ml.warehouse import Warehouse

PERSONAL = "personal"
USABLE = ("audited", "published", "superseded")
"""States of a personal run whose rows may be read."""


@dataclass(frozen=True)
class Ground:
    """The day's data for one scenario run.

    Attributes
    ----------
    settings, context
        As the stage got them.
    """

    settings: Settings
    context: Context

    @cached_property
    def warehouse(self) -> Warehouse:
        """Return the door to Postgres."""
        return Warehouse(self.settings, "ml")

    @cached_property
    def products(self) -> pl.DataFrame:
        """Return ``features.ftr_products`` without its vectors.

        Raises
        ------
        DataError
            When no features were built for the day.
        """
        products = self.warehouse.read(PRODUCTS, {"as_of": self.context.as_of}, PRODUCT_FACTS)
        if products.is_empty():
            raise DataError(f"no features for {self.context.as_of}: run build_features for that day first")
        return products

    @cached_property
    def baskets(self) -> pl.DataFrame:
        """Return ``features.ftr_baskets``."""
        return self._of_day(BASKETS)

    @cached_property
    def product_days(self) -> pl.DataFrame:
        """Return ``features.ftr_product_days``: units, money and list price of products by day of sale."""
        return self._of_day(PRODUCT_DAYS)

    @cached_property
    def customers(self) -> pl.DataFrame:
        """Return ``features.ftr_customers``."""
        return self._of_day(CUSTOMERS)

    @cached_property
    def purchases(self) -> pl.DataFrame:
        """Return ``features.ftr_customer_products``."""
        return self._of_day(CUSTOMER_PRODUCTS)

    @cached_property
    def lead_times(self) -> pl.DataFrame:
        """Return ``features.ftr_lead_times``; without rows where the shop gives none."""
        return self._of_day(LEAD_TIMES)

    @cached_property
    def market_signals(self) -> pl.DataFrame:
        """Return ``features.ftr_market_signals``; without rows where the shop has none."""
        return self._of_day(MARKET_SIGNALS)

    @cached_property
    def stock_outs(self) -> pl.DataFrame:
        """Return ``features.ftr_stock_outs``: whole days without stock; without rows where none is counted."""
        return self._of_day(STOCK_OUTS)

    @cached_property
    def promotions(self) -> pl.DataFrame:
        """Return ``features.ftr_promotions``: all that the shop has announced by now, for later days too."""
        return self.warehouse.read(PROMOTIONS)

    @cached_property
    def events(self) -> pl.DataFrame:
        """Return ``features.ftr_events``: what known customers did on the web; no row where the shop does not tell."""
        return self._of_day(EVENTS)

    @cached_property
    def sensitive(self) -> pl.DataFrame:
        """Return the shop's list of what no customer's card may speak of."""
        return self.warehouse.read(SENSITIVE_CATEGORIES)

    @cached_property
    def rules(self) -> Rules:
        """Return the merchandiser's rules in force for the scenario."""
        written = self.warehouse.read(MERCH_RULES)
        first, last = used_days(self.context)
        return Rules.of(written, self.products, first, self.context.params.scenario, last)

    @cached_property
    def personal_run(self) -> int:
        """Return the run of personal bundles of the day that people read, else the newest that passed its audit.

        What was published and taken back is none of them.

        Raises
        ------
        DataError
            When there is none: preferences and associations of the day are its candidates.
        """
        shown, key = published_run(self.warehouse, PERSONAL), {"scope": PERSONAL, "as_of": self.context.as_of}
        usable = {**key, "status": list(USABLE)}
        runs = self.warehouse.read_view("ops.runs", usable, ["run_id"], order_by=["run_id"])["run_id"].to_list()
        back = {"scope": PERSONAL, "action": "rollback"}
        taken = set(self.warehouse.read_view("ops.publish_log", back, ["previous_run_id"])["previous_run_id"])
        # The rows of old runs are dropped; the number of a run stays.
        for run_id in sorted((one for one in runs if one not in taken), key=lambda one: (one != shown, -one)):
            if self.warehouse.read_view(CANDIDATES.qualified, {"run_id": run_id}, ["run_id"], limit=1).height:
                return int(run_id)
        raise DataError(f"no personal bundles of {self.context.as_of}: run recommend_bundles for that day first")

    def oldest_kept(
        self, table: Table, columns: list[str] | None = None, version: int | None = None
    ) -> tuple[pl.DataFrame, date | None]:
        """Return the rows of the oldest personal run of an earlier day that still has any, and that day.

        Without one the rows are none, and the day is None.

        Parameters
        ----------
        version
            Of the preference model that the run must have used; None: any.
        """
        order, usable = ["as_of", "run_id"], {"scope": PERSONAL, "status": list(USABLE)}
        runs = self.warehouse.read_view("ops.runs", usable, [*order, "model_versions"], order_by=order)
        for run in runs.filter(pl.col("as_of") < self.context.as_of).iter_rows(named=True):
            if version in (None, json.loads(run["model_versions"]).get("preference")):
                rows = self.warehouse.read(table, {"run_id": run["run_id"]}, columns)
                # Of a run that is not kept any more, the number stays and the rows are gone.
                if not rows.is_empty():
                    return rows, run["as_of"]
        none = table.frame([])
        return none.select(columns) if columns else none, None

    @cached_property
    def candidates(self) -> pl.DataFrame:
        """Return the personal run's ``ml.candidates``: preference of each customer's likeliest products."""
        return self._of_run(CANDIDATES)

    @cached_property
    def associations(self) -> pl.DataFrame:
        """Return the personal run's ``ml.associations``."""
        return self._of_run(ASSOCIATIONS)

    @cached_property
    def bundles(self) -> pl.DataFrame:
        """Return the personal run's ``ml.bundles``, abstentions left out."""
        return self._of_run(BUNDLES).filter(pl.col("status") != "abstained")

    @cached_property
    def bundle_items(self) -> pl.DataFrame:
        """Return the personal run's ``ml.bundle_items``."""
        return self._of_run(BUNDLE_ITEMS)

    def _of_day(self, table: Table) -> pl.DataFrame:
        return self.warehouse.read(table, {"as_of": self.context.as_of}).drop("as_of")

    def _of_run(self, table: Table) -> pl.DataFrame:
        return self.warehouse.read(table, {"run_id": self.personal_run}).drop("run_id")


def used_days(context: Context) -> tuple[date, date]:
    """Return the first and the last day on which a scenario's results are used, for which rules must hold."""
    params, tomorrow = context.params, context.as_of + timedelta(days=1)
    if params.scenario == "cross_category":
        first = context.as_of + timedelta(days=params.promotion_starts_in_days)
        return first, first + timedelta(days=params.promotion_days - 1)
    if params.scenario == "bundle_sale":
        return tomorrow, tomorrow + timedelta(days=params.sale_days - 1)
    return tomorrow, tomorrow
