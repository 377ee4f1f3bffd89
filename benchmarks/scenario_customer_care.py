"""Customer care on Complete Journey: who stays away, and what is bought again, in the four weeks after three days.

The last of the three windows is the published test: nothing was chosen on it.
"""

from datetime import timedelta
from functools import partial

import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.demand.lapse import WINDOW_DAYS
from ml.scenarios.customer_care.evaluation import judge
from ml.scenarios.customer_care.sensitive import is_sensitive
from ml.scenarios.judged import Judged, paired
from ml.settings import REPOSITORY

ORIGINS = tuple(LAST_TRAINING_DAY - timedelta(days=WINDOW_DAYS * back) for back in (2, 1, 0))
CAP, SEED = 100, 20170101
LISTED = REPOSITORY / "dbt_project" / "seeds" / "sensitive_categories.csv"


def rows(is_quick: bool) -> list[Row]:
    """Return the numbers of each window, the peer's beside them."""
    baskets, products = complete_journey(min_product_baskets=1)
    levels = [pl.col(name) for name in ("department", "category", "title")]
    products = products.with_columns(category_path=pl.concat_str(levels, separator=" > ", ignore_nulls=True))
    spoken = products.filter(~is_sensitive(products, pl.read_csv(LISTED)))
    compare = partial(paired, draws=200 if is_quick else 1000, seed=SEED)
    found = []
    for origin in ORIGINS[-1:] if is_quick else ORIGINS:
        for one in judge(baskets, spoken, origin, CAP, compare):
            found += as_rows("customer_care", one, f"/{origin + timedelta(days=1)}")
    return found


def as_rows(scenario: str, one: Judged, label: str) -> list[Row]:
    """Return a judged number, and what it gains on its peer: the interval of a gain says whether it is one."""
    peer = None if one.peer_value is None else f"{one.peer} {one.peer_value:.4g}"
    ratio = one.value / one.peer_value if one.peer_value else None
    name = f"scenarios/{scenario}/{one.kpi}" + ("" if one.variant == "all" else f"/{one.variant}") + label
    found = [Row(name, one.value, one.unit, one.low, one.high, peer, ratio)]
    if one.difference is not None:
        gain = (one.difference, one.unit, one.difference_low, one.difference_high, one.peer)
        found.append(Row(f"{name}/gain", *gain))
    return found


if __name__ == "__main__":
    asked = arguments(__doc__)
    write_report("scenario_customer_care", "Complete Journey", rows(asked.quick), asked.json)
