"""Days that part what is known from what is asked."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.errors import DataError

NEWEST_SHARE = 0.2
"""Of the baskets that are asked for where no cut is given, or no days."""


def days_of(baskets: pl.DataFrame) -> tuple[date, date]:
    """Return the first and the last day of some baskets."""
    found: tuple[date, date] = baskets.select(first=pl.col("basket_on").min(), last=pl.col("basket_on").max()).row(0)
    return found


def check_cut(baskets: pl.DataFrame, cut: date | None) -> None:
    """Refuse a cut that leaves nothing before it; one after the last day asks what comes next.

    Raises
    ------
    DataError
        When it does; the message names the days of the data.
    """
    first, last = days_of(baskets)
    if cut is not None and cut <= first:
        raise DataError(f"cut {cut}: must lie after the first day of the data, {first}; the last is {last}")


def usual_cut(baskets: pl.DataFrame) -> date:
    """Return the day since which the newest fifth of the baskets was filled, but not the first day."""
    days = baskets["basket_on"].sort()
    newest: date = days[int(len(days) * (1 - NEWEST_SHARE))]
    after_first = days.filter(days > days[0])
    return max(newest, after_first[0]) if len(after_first) else newest


def drawn_newest(baskets: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return four fifths of the baskets and the other fifth, drawn by seed: where days do not tell which are newest."""
    ordered = baskets.sort("basket_id")
    drawn = np.random.default_rng(seed).permutation(ordered.height) < round(NEWEST_SHARE * ordered.height)
    is_newest = pl.Series(drawn)
    return ordered.filter(~is_newest), ordered.filter(is_newest)


def earlier_cut(baskets: pl.DataFrame, cut: date) -> date:
    """Return the cut of the validation: as long before the cut as the data go on after it, or the last day sold.

    Where the data end before the cut nothing says how long it should be, and it holds the newest fifth of the baskets.
    """
    days: list[date] = baskets["basket_on"].unique().sort().to_list()
    if cut > days[-1]:
        return usual_cut(baskets)
    return min(cut - (days[-1] + timedelta(days=1) - cut), max(day for day in days if day < cut))
