"""Build features: from raw tables to what the models may know on the as-of date, through dbt.

Airflow runs the same dbt project task by task; this stage is for terminals and benchmarks.
"""

from ml.params import Context, Counts
from ml.settings import Settings
from ml.transform import build, check_freshness


def run(settings: Settings, context: Context) -> Counts:
    """Check that the orders reach the as-of date, then build and test all models for it.

    Raises
    ------
    DataError
        When the orders are stale, or a model or a test failed.
    """
    check_freshness(settings, context.as_of)
    built = build(settings, context.as_of)
    return {"dbt_invocation_id": built.invocation_id, "models": built.models, "tests": built.tests, **built.rows}
