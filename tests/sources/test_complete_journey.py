"""The demo data as a daily feed: slices that meet, money that adds up, weeks that are weeks."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.errors import NothingToDo
from ml.sources.complete_journey import FIRST_DAY, LAST_DAY, CompleteJourney
from ml.sources.contract import TABLES
from ml.sources.validation import RECORD, sort_records

THROUGH = date(2017, 1, 8)
LOADED = ("orders", "order_items", "promotions")


@pytest.fixture(scope="module")
def source() -> CompleteJourney:
    return CompleteJourney()


def feed(source: CompleteJourney, as_of: date, since: date | None = None) -> dict[str, pl.DataFrame]:
    loaded = dict.fromkeys(LOADED, since) if since else {}
    return {d.table: d.records.drop(RECORD) for d in source.deliveries(as_of, loaded)}


@pytest.fixture(scope="module")
def week(source: CompleteJourney) -> dict[str, pl.DataFrame]:
    return feed(source, THROUGH)


def test_two_days_and_the_six_after_them_are_the_week(source: CompleteJourney, week: dict[str, pl.DataFrame]) -> None:
    middle = FIRST_DAY + timedelta(days=1)
    first, rest = feed(source, middle), feed(source, THROUGH, middle)
    for table in LOADED:
        key = list(TABLES[table].key)
        assert pl.concat([first[table], rest[table]]).sort(key).equals(week[table].sort(key)), table


def test_no_order_is_dated_after_the_as_of_day(week: dict[str, pl.DataFrame]) -> None:
    days = week["orders"]["ordered_at"].dt.date()
    assert (days.min(), days.max()) == (FIRST_DAY, THROUGH)


def test_only_zero_and_absurd_quantities_are_set_aside(week: dict[str, pl.DataFrame]) -> None:
    for table, records in week.items():
        outcome = sort_records(TABLES[table], records.with_row_index(RECORD, offset=1))
        assert set(outcome.quarantined["reason"]) <= {"quantity_range"}, table
        assert outcome.duplicates == 0, table
    lines = week["order_items"]
    odd = lines.filter((pl.col("quantity") == 0) | (pl.col("quantity") > 10_000)).height
    assert 0 < odd < 0.02 * lines.height


def test_what_the_customer_paid_comes_out_to_the_cent(source: CompleteJourney, week: dict[str, pl.DataFrame]) -> None:
    """quantity * unit price - discount = sales value less the manufacturer's coupon, in sum over the week."""
    raw = source._scan("transactions").filter(pl.col("transaction_timestamp").dt.date() <= THROUGH).collect()
    raw = raw.filter(pl.col("quantity") > 0)
    paid = ((raw["sales_value"] - raw["coupon_disc"]) * 100).round().clip(lower_bound=0).sum()
    lines = week["order_items"].filter(pl.col("quantity") > 0)
    ours = (lines["quantity"] * lines["unit_price_cents"] - lines["discount_cents"]).sum()
    assert abs(ours - paid) <= 0.0001 * paid
    assert lines.select(pl.col("discount_cents").min()).item() >= 0


def test_every_line_has_its_order_and_its_product(week: dict[str, pl.DataFrame]) -> None:
    assert set(week["order_items"]["order_id"]) == set(week["orders"]["order_id"])
    lines = week["order_items"].filter(pl.col("quantity").is_between(1, 10_000))
    unknown = lines.join(week["products"], on="product_id", how="anti")
    assert unknown.height < 0.001 * lines.height, "the catalogue lacks a handful of products"
    assert set(week["orders"]["customer_id"]) <= set(week["customers"]["customer_id"])


def test_promotion_weeks_are_the_weeks_of_the_transactions(source: CompleteJourney) -> None:
    """A week's transactions lie in its dates, but for Sunday evenings, which are Monday in UTC."""
    promotions = source._promotions(FIRST_DAY - timedelta(days=1), date(2017, 3, 1))
    dates = promotions.with_columns(pl.col("promotion_id").str.split("-").list.last().cast(pl.Int64).alias("week"))
    dates = dates.group_by("week").agg(pl.col("starts_on", "ends_on").first())
    assert sorted(dates["week"]) == list(range(1, 11))
    lines = source._scan("transactions").select(
        pl.col("week").cast(pl.Int64), pl.col("transaction_timestamp").dt.date().alias("day")
    )
    joined = lines.collect().join(dates, on="week")
    assert joined.filter(pl.col("day").is_between("starts_on", "ends_on")).height > 0.95 * joined.height
    late = joined.filter(~pl.col("day").is_between("starts_on", "ends_on"))
    assert (late["day"] == late["ends_on"] + timedelta(days=1)).all()


def test_promotions_count_the_stores_of_a_product_and_week(source: CompleteJourney) -> None:
    (starts_on, ends_on) = (date(2017, 1, 9), date(2017, 1, 15))
    # A week is announced the day before it begins: the next one on the last day of this.
    ours = source._promotions(starts_on - timedelta(days=2), ends_on - timedelta(days=1))
    assert set(ours["starts_on"]) == {starts_on} and set(ours["ends_on"]) == {ends_on}
    example = ours.filter(pl.col("kind") == "display").row(0, named=True)
    rows = source._scan("promotions").filter(
        (pl.col("week") == 3)
        & (pl.col("product_id").cast(pl.String) == example["product_id"])
        & (pl.col("display_location") != "0")
    )
    assert rows.select(pl.col("store_id").n_unique()).collect().item() == example["store_count"] >= 1


def test_a_load_that_broke_off_is_taken_up_where_the_slowest_table_stands(source: CompleteJourney) -> None:
    tables = {d.table for d in source.deliveries(THROUGH, {"orders": THROUGH, "order_items": THROUGH})}
    assert "promotions" in tables


def test_a_loaded_day_delivers_nothing_and_a_day_after_the_end_is_skipped(source: CompleteJourney) -> None:
    assert feed(source, THROUGH, THROUGH) == {}
    with pytest.raises(NothingToDo, match=f"ends on {LAST_DAY}"):
        feed(source, LAST_DAY + timedelta(days=1))
