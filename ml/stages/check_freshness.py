"""Check freshness: stop the day when the newest order is too old for its as-of date, or days before it lack."""

import logging
from datetime import timedelta

from ml.alerts import note
from ml.errors import DataError
from ml.params import Context, Counts
from ml.settings import Settings
from ml.transform import MISSING_DAYS, check_freshness, find_missing_days
from ml.warehouse import Warehouse

WINDOW_DAYS = 28
"""How far back days may lack: trends and forecasts compare four weeks with those before."""

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Measure the age of the sources at the end of the as-of date, and look for days that were not delivered.

    Each such day is an incident, once.

    Raises
    ------
    DataError
        When a source is older than the settings allow, or more days lack than they do.
    TemporaryError
        When Postgres cannot be reached, or a lock not be had.
    """
    ages = check_freshness(settings, context.as_of)
    find_missing_days(settings, context.as_of)
    missing = _missing_days(settings, context)
    allowed = settings.freshness.max_missing_days
    if len(missing) > allowed:
        raise DataError(
            f"raw.orders has nothing of {', '.join(missing)}, on which the shop usually sells; {allowed} of the last "
            f"{WINDOW_DAYS} days may lack (BUNDLES_FRESHNESS__MAX_MISSING_DAYS). Deliver them, or name those on which "
            "it was shut (BUNDLES_FRESHNESS__CLOSED_DAYS)"
        )
    return {**{f"{source}_age_days": age for source, age in ages.items()}, "missing_days": len(missing)}


def _missing_days(settings: Settings, context: Context) -> list[str]:
    """Return the days that lack of late, each noted as an incident where it was not before.

    Not the as-of day itself, whose orders may come in the morning.
    """
    days = [context.as_of - timedelta(days=back) for back in range(1, WINDOW_DAYS + 1)]
    wanted = [day for day in days if day not in settings.freshness.closed_days]
    found = Warehouse(settings, "transformer").read_view(
        f"marts.{MISSING_DAYS}", {"missing_on": wanted}, order_by=["missing_on"]
    )
    for row in found.iter_rows(named=True):
        detail = f"no order on {row['missing_on']:%A, %Y-%m-%d}; usually there are {row['usual_orders']:.0f}"
        log.warning("raw.orders: %s", detail)
        note(settings, "day_missing", "raw.orders", detail, row["missing_on"], context.started_by)
    return [day.isoformat() for day in found["missing_on"]]
