"""Load the shop: from a source's delivery to the raw tables. The head of the chain, and the only DAG on a clock.

**Reads** the source chosen in the form (demo data, a folder in the raw contract, or the simulated shop).
**Writes** schema `raw`; `ops.load_manifest` and `ops.quarantine`.
**Starts** at midnight UTC for the day before, by a backfill, or by hand. It is the only DAG that can be backfilled:
ask for one active run at a time, and the other DAGs follow each day in order.
**Ends** by announcing the asset `raw` for its as-of date, which starts `build_features`.

**When it fails** (red): the delivery broke its contract as a whole; the log names table, reason and examples, and
`ops.load_manifest` keeps the reason. Nothing of that delivery landed. Mend it and clear the task. Nothing that
follows has started, and yesterday's bundles stay readable. (Single refused records of a delivery that landed are
rows of `marts.fct_quarantine`.)
**When only `check_invariants` is red**: it looks at the whole database each night, whatever became of the night before.
Its log names what does not hold; the load and what follows go on. (At its end it drops the rows of runs nobody needs.)
**When it is skipped** (pink): the source had nothing new for the day. Nothing follows, and nothing is wrong.

**Told** by a row of `marts.fct_incidents`, and by e-mail or webhook where the settings name one: a task that failed for
good, and a run that is not over after six hours.

**Rerun** safe: a delivery that was loaded before changes nothing.
"""

from airflow.sdk import CronPartitionTimetable, dag

from shared.as_of import KEY_FORMAT
from shared.assets import RAW
from shared.forms import form
from shared.stages import DAG_DEFAULTS, stage

FORM = form("load_shop")
# Midnight on purpose: with another hour a backfill over dates would lose its last day. And of UTC, whatever the shop's
# zone (shop_time_zone): for a shop west of it the day has still some hours to run, which the next night brings.
YESTERDAY = CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format=KEY_FORMAT)


@dag(schedule=YESTERDAY, params=FORM, doc_md=__doc__, **DAG_DEFAULTS)
def load_shop() -> None:
    stage("load_raw", FORM, outlets=[RAW])
    # By itself, so that a night is looked at of which nothing else came to its end.
    stage("check_invariants", FORM)


load_shop()
