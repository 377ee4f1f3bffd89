"""Check freshness: stop the day when the newest order is too old for its as-of date."""

from ml.params import Context, Counts
from ml.settings import Settings
from ml.transform import check_freshness


def run(settings: Settings, context: Context) -> Counts:
    """Measure the age of the sources at the end of the as-of date.

    Raises
    ------
    DataError
        When a source is older than the settings allow.
    """
    ages = check_freshness(settings, context.as_of)
    return {f"{source}_age_days": age for source, age in ages.items()}
