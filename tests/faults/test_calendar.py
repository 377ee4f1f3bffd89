"""Business days of 23 and 25 hours, a leap day, the turn of the year: each instant belongs to one day, and once."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import psycopg2.extensions
import pytest

pytestmark = pytest.mark.faults
MACROS = (Path(__file__).resolve().parents[2] / "dbt_project" / "macros" / "as_of.sql").read_text("utf-8")
BUSINESS_DAY, END_OF_DAY = "business_day('t')", "end_of_day('d')"
DAYS = {
    ("Europe/Berlin", date(2024, 3, 31)): 23,
    ("Europe/Berlin", date(2024, 10, 27)): 25,
    ("America/New_York", date(2024, 3, 10)): 23,
    ("America/New_York", date(2024, 11, 3)): 25,
    ("Europe/Berlin", date(2024, 2, 29)): 24,
    ("America/New_York", date(2023, 12, 31)): 24,
    ("UTC", date(2024, 3, 31)): 24,
}


def sql(call: str, zone: str) -> str:
    """Return what a macro of the project compiles to in a shop of a zone."""
    return jinja2.Environment().from_string(MACROS + "{{ " + call + " }}").render(var=lambda _: zone).strip()


@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_each_hour_belongs_to_one_business_day(owner: psycopg2.extensions.connection, zone: str, day: date) -> None:
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    hours = [begins + timedelta(minutes=30 * n) for n in range(2 * 24 * 5)]
    with owner.cursor() as cursor:
        query = f"select t, {sql(BUSINESS_DAY, zone)} from unnest(%s::timestamptz[]) as t"
        cursor.execute(query, (hours,))
        found = cursor.fetchall()
        cursor.execute(f"select {sql(END_OF_DAY, zone)} from (select date '{day}' as d) as one")
        ((ends,),) = cursor.fetchall()
    by_day = Counter(one for _, one in found)
    assert by_day[day] == 2 * DAYS[zone, day]
    assert sum(by_day.values()) == len(hours)
    assert [one for _, one in found] == [hour.astimezone(ZoneInfo(zone)).date() for hour in hours]
    # The end is the first instant of the next day: windows are half-open.
    assert max(t for t, one in found if one == day) < ends
    assert min(t for t, one in found if one == day + timedelta(days=1)) == ends
