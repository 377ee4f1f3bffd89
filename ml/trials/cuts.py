"""Days that part what is known from what is asked."""

from datetime import date, timedelta

import polars as pl

from ml.errors import DataError

NEWEST_SHARE = 0.2
"""Of the baskets that are asked for where no cut is given."""


def check_cut(baskets: pl.DataFrame, cut: date | None) -> None:
    """Refuse a cut that leaves nothing before it or nothing to judge.

    Raises
    ------
    DataError
        When it does; the message names the days of the data.
    """
    days: list[date] = baskets["basket_on"].unique().sort().to_list()
    if cut is not None and not days[0] < cut <= days[-1]:
        raise DataError(
            f"cut {cut}: must lie after the first day of the data, {days[0]}, and up to the last, {days[-1]}"
        )


def usual_cut(baskets: pl.DataFrame) -> date:
    """Return the day since which the newest fifth of the baskets was filled, but not the first day."""
    days = baskets["basket_on"].sort()
    newest: date = days[int(len(days) * (1 - NEWEST_SHARE))]
    after_first = days.filter(days > days[0])
    return max(newest, after_first[0]) if len(after_first) else newest


def earlier_cut(baskets: pl.DataFrame, cut: date) -> date:
    """Return the cut of the validation: as long before the cut as the data go on after it, or the last day sold."""
    days: list[date] = baskets["basket_on"].unique().sort().to_list()
    return min(cut - (days[-1] + timedelta(days=1) - cut), max(day for day in days if day < cut))
