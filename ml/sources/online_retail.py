"""Online Retail II: two years of invoices of a British wholesaler of gifts, as the export of a sheet gives them.

The workbook as UCI gives it (``.xlsx``, two sheets), or a sheet of it as Parquet or CSV. A daily feed like that of
Complete Journey: each load takes the invoices of the days after the last one loaded, up to the as-of date. Every line
lands as an order line (a return where its quantity is negative) or is quarantined. What the export leaves open is
decided so:

* A line has no number of its own, so its place in the invoice is it. Equal lines of an invoice are therefore two
  lines: an article rung up twice cannot be told from one exported twice, and the invoice's total needs both.
* An invoice that stands in an earlier sheet is not taken from a later one: nine days of December 2010 are in both.
* Dates written with slashes, dots or dashes (``01/12/2009 07:45``) are read day first, unless the file holds one that
  can only be month first.
* The case of a stock code is chance (``85123a``, ``85123A`` have one description), so it is folded.
* An invoice without customer at no price at all is a booking of the warehouse (damaged, found, lost). It lands as a
  cancelled order, which is no sale and no return; in quarantine it would have whole days refused after a stocktake.
* Postage, fees, vouchers and the like are paid for like articles and land like them, under a category of their own,
  which ``excluded_products.csv`` keeps out of bundles.
* Prices and categories of products are absent: the price is then the recent median of what was paid on the day asked.

Source: Chen (2019), Online Retail II, UCI Machine Learning Repository, https://doi.org/10.24432/C5CG6D.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import fastexcel
import polars as pl

from ml.errors import ConfigError, DataError, NothingToDo
from ml.sources.contract import Column
from ml.sources.delivery import Delivery, RefusedFile, fingerprint
from ml.sources.parsing import given_text, parsed
from ml.sources.reading import REFUSED, Reading, read_csv, read_parquet
from ml.sources.unpacking import LARGEST, check_size, check_workbook
from ml.sources.validation import RECORD

log = logging.getLogger(__name__)
COLUMNS = ("invoice", "stockcode", "description", "quantity", "invoicedate", "price", "customer id", "country")
WHOLE_LINE = ("order_id", "product_id", "title", "quantity", "invoicedate", "price", "customer_id", "region")
ENDINGS = (".xlsx", ".parquet", ".csv")
DAY_FIRST = (
    r"^\s*(?<first>\d{1,2})[/.-](?<second>\d{1,2})[/.-](?<year>\d{4})[ T]+(?<clock>\d{1,2}:\d{2}(?::\d{2})?)\s*$"
)
NO_ARTICLE = r"^(POST|DOT|C\d|D|M|S|B|PADS|BANK CHARGES|AMAZONFEE|CRUK|ADJUST\d?|TEST\d+|GIFT(_\d+)*)$"
"""Stock codes of postage, carriage, discounts, samples, fees, bad debt, tests, vouchers and pads given along."""
NO_ARTICLE_PATH = "NOT MERCHANDISE"


class OnlineRetail:
    """One export of the data set as a daily feed.

    Parameters
    ----------
    path
        Workbook, Parquet or CSV file with the columns of the sheet; None when none was named.
    largest
        Bytes of the file, unpacked, above which it is refused.

    Raises
    ------
    ConfigError
        When there is no such file.
    """

    def __init__(self, path: Path | None, largest: int = LARGEST) -> None:
        if path is None or not path.is_file() or path.suffix.lower() not in ENDINGS:
            raise ConfigError(
                "source online_retail: BUNDLES_SOURCE__ONLINE_RETAIL must name a file that ends in"
                f" {', '.join(ENDINGS)}; got {path}; the workbook is at https://doi.org/10.24432/C5CG6D"
            )
        self.path, self.largest = path, largest

    def deliveries(self, as_of: date, loaded_through: dict[str, date]) -> Iterator[Delivery]:
        """Yield the invoices after the last loaded day, and before them the customers and products they name."""
        try:
            check_size(self.path.stat().st_size, self.path, self.largest)
        except DataError as error:
            raise RefusedFile(str(error), "order_items", self.path.name, "") from error
        content = self.path.read_bytes()
        sha = hashlib.sha256(content).hexdigest()
        try:
            lines = _lines(content, self.path, self.largest)
        except DataError as error:
            raise RefusedFile(str(error), "order_items", self.path.name, sha) from error
        first, last = lines.select(first=pl.col("day").min(), last=pl.col("day").max()).row(0)
        if not first <= as_of <= last:
            raise NothingToDo(f"online_retail has nothing of {as_of}: {self.path.name} holds {first} to {last}")
        # The lesser of the two, so that a load that broke off between them is taken up again.
        since = min(loaded_through.get(table, first - timedelta(days=1)) for table in ("orders", "order_items"))
        if as_of <= since:
            return
        # What is known of a customer or product never comes from days after the as-of date.
        known = lines.filter(pl.col("day") <= as_of)
        new = known.filter(pl.col("day") > since)
        repeated = new.height - new.unique(WHOLE_LINE).height
        log.info(
            "online_retail: %d of %d new lines repeat another of their invoice; each is kept", repeated, new.height
        )
        split = new.filter(pl.col("reason").is_null())
        unsplit = new.filter(pl.col("reason").is_not_null()).select(
            pl.col(RECORD).cast(pl.Int64).alias("record_number"), "reason", "column_name", "raw_record"
        )
        for table, records, refused in (
            ("customers", _customers(split, known), None),
            ("products", _products(split, known), None),
            ("orders", _orders(split), None),
            ("order_items", _order_items(split), unsplit),
        ):
            key = fingerprint(sha, table, since, as_of)
            yield Delivery(table, f"{self.path.name} {since} to {as_of}", key, records, as_of, refused)


def _lines(content: bytes, path: Path, largest: int) -> pl.DataFrame:
    """Return the lines with ``day``, the day of their invoice, and those that could not be split, with a reason.

    Raises
    ------
    DataError
        When the file cannot be read, lacks a column, or no date in it can be read.
    """
    records, unsplit, _ = READERS[path.suffix.lower()](content, path, largest)
    if records.is_empty():
        raise DataError(f"no_rows: {path.name} holds no record that can be read")
    if missing := [name for name in COLUMNS if name not in records.columns]:
        raise DataError(f"schema_missing:{missing[0]}: {path.name} needs the columns {', '.join(COLUMNS)}")
    records = _with_iso_dates(records)
    text = {name: given_text(name, records.schema[name]) for name in COLUMNS}
    lines = records.select(
        RECORD,
        "quantity",
        "invoicedate",
        order_id=text["invoice"],
        product_id=text["stockcode"].str.to_uppercase(),
        title=text["description"],
        units=parsed("quantity", Column("integer"), records.schema["quantity"]).abs(),
        price=parsed("price", Column("real"), records.schema["price"]),
        price_text=text["price"],
        # Numbers that passed through a float column: 13085.0 is the customer 13085, in text as in a number.
        customer_id=text["customer id"].str.replace(r"\.0$", ""),
        region=text["country"],
        instant=parsed("invoicedate", Column("instant"), records.schema["invoicedate"]),
    )
    refused = (pl.DataFrame(schema=REFUSED) if unsplit is None else unsplit).rename({"record_number": RECORD})
    # An invoice has one day, that of its first line. Lines of no day take that of the line after them, which cannot
    # have been loaded without them.
    of_invoice = pl.col("instant").min().over("order_id")
    day = pl.when(pl.col("order_id").is_null()).then("instant").otherwise(of_invoice).dt.date()
    lines = (
        pl.concat([lines, refused.cast({RECORD: pl.UInt32})], how="diagonal")
        .sort(RECORD)
        .with_columns(
            day=day.backward_fill().forward_fill(), line_number=pl.int_range(1, pl.len() + 1).over("order_id")
        )
    )
    if lines["day"].null_count():
        raise DataError(
            f"instant_format: {path.name} holds no InvoiceDate that can be read, the first is"
            f" {lines['invoicedate'][0]!r}; wanted is the form 2009-12-01 07:45:00 or 01/12/2009 07:45"
        )
    return lines


def _read_workbook(content: bytes, file: Path, largest: int) -> Reading:
    """Return the records of all sheets as text, numbered through; invoices of an earlier sheet are taken once.

    Raises
    ------
    DataError
        When it is no workbook or too large, a sheet lacks a column, or none holds a row.
    """
    check_workbook(content, file, largest)
    try:
        book = fastexcel.read_excel(content)
        sheets = [book.load_sheet(name, dtypes="string").to_polars() for name in book.sheet_names]
    except fastexcel.FastExcelError as error:
        raise DataError(f"xlsx: {file.name}: {error}") from error
    parts, rows, seen = [], 0, pl.Series(dtype=pl.String)
    for sheet in sheets:
        named = sheet.rename({name: name.strip().lower() for name in sheet.columns})
        if named.is_empty():
            continue
        if missing := [name for name in COLUMNS if name not in named.columns]:
            raise DataError(f"schema_missing:{missing[0]}: {file.name} needs the columns {', '.join(COLUMNS)}")
        numbered = named.select(COLUMNS).with_row_index(RECORD, offset=rows + 1)
        parts.append(numbered.filter(~pl.col("invoice").is_in(seen.implode()).fill_null(False)))
        rows += named.height
        seen = pl.concat([seen, named["invoice"].drop_nulls()]).unique()
    if not parts:
        raise DataError(f"no_rows: {file.name} has no sheet with rows")
    return Reading(pl.concat(parts), None, {})


READERS: dict[str, Callable[[bytes, Path, int], Reading]] = {
    ".xlsx": _read_workbook,
    ".parquet": read_parquet,
    ".csv": lambda content, file, _: read_csv(content, file),
}


def _with_iso_dates(records: pl.DataFrame) -> pl.DataFrame:
    """Return records whose dates like 01/12/2009 07:45 are written as the contract wants them."""
    if records.schema["invoicedate"] != pl.String:
        return records
    parts = pl.col("invoicedate").str.extract_groups(DAY_FIRST)
    first, second = (
        records.select(parts.struct.field(name).cast(pl.Int64)).to_series() for name in ("first", "second")
    )
    is_month_first = bool((second > 12).any()) and not bool((first > 12).any())
    day, month = ("second", "first") if is_month_first else ("first", "second")
    field = {name: parts.struct.field(name).str.zfill(2) for name in ("first", "second", "year", "clock")}
    iso = pl.concat_str(
        field["year"], pl.lit("-"), field[month], pl.lit("-"), field[day], pl.lit(" "), field["clock"].str.zfill(5)
    )
    return records.with_columns(invoicedate=pl.coalesce(iso, "invoicedate"))


def _customers(new: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    wanted = new.select("customer_id").drop_nulls().unique().sort("customer_id")
    region = _most_frequent(known, "customer_id", "region")
    return wanted.join(region, on="customer_id", how="left", maintain_order="left").with_row_index(RECORD, offset=1)


def _products(new: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the products with the title they are sold by: where no price is, the text is a remark (``damaged``)."""
    wanted = new.select("product_id").drop_nulls().unique().sort("product_id")
    title = _most_frequent(known.filter(pl.col("price") > 0), "product_id", "title")
    return (
        wanted.join(title, on="product_id", how="left", maintain_order="left")
        .with_columns(
            category_path=pl.when(pl.col("product_id").str.contains(NO_ARTICLE)).then(pl.lit(NO_ARTICLE_PATH))
        )
        .with_row_index(RECORD, offset=1)
    )


def _most_frequent(lines: pl.DataFrame, key: str, value: str) -> pl.DataFrame:
    counted = lines.drop_nulls([key, value]).group_by(key, value).len()
    ranked = counted.sort("len", value, descending=[True, False])
    return ranked.unique(key, keep="first", maintain_order=True).select(key, value)


def _orders(lines: pl.DataFrame) -> pl.DataFrame:
    """Return one record an invoice; one that names a second customer gives two, of which the contract takes one."""
    is_booking = pl.col("customer_id").is_null() & pl.col("is_free")
    return (
        lines.drop_nulls("order_id")
        .group_by("order_id", "customer_id")
        .agg(
            pl.col(RECORD).min(),
            # As written, so that the contract judges it; some invoices pass a minute while they are typed.
            ordered_at=pl.col("invoicedate").sort_by("instant", nulls_last=True).first(),
            is_free=(pl.col("price") == 0).fill_null(False).all(),
        )
        .with_columns(status=pl.when(is_booking).then(pl.lit("cancelled")).otherwise(pl.lit("completed")))
        .drop("is_free")
        .sort(RECORD)
    )


def _order_items(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines in cents; the discount takes up what a price of a part of a cent was rounded by.

    A price that is no number goes on as it is written, so that the contract says what is wrong with it.
    """
    # 1.1 * 100 is a little more than 110, which the ceiling would make 111.
    cents = (pl.col("price") * 100).round(4)
    list_price = cents.ceil()
    paid = (cents * pl.col("units")).round()
    return lines.select(
        RECORD,
        "order_id",
        "line_number",
        "product_id",
        "quantity",
        unit_price_cents=pl.coalesce(list_price.cast(pl.Int64, strict=False).cast(pl.String), "price_text"),
        discount_cents=(list_price * pl.col("units") - paid).cast(pl.Int64, strict=False),
    )
