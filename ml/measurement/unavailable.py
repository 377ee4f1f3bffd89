"""What a run could not measure: several stages write the one table, each about its own result."""

import polars as pl

from ml.tables import UNAVAILABLE
from ml.warehouse import Lease, Warehouse


def note_unavailable(warehouse: Warehouse, lease: Lease, result: str, reason: str | None) -> None:
    """Say why a result of the run is not available, or that it is; what the other results lack stays.

    Parameters
    ----------
    reason
        "not available: needs" and what; None where the result is there.
    """
    others = warehouse.read(UNAVAILABLE, {"run_id": lease.run_id}).filter(pl.col("result") != result)
    own = UNAVAILABLE.frame([{"result": result, "reason": reason}] if reason else [])
    warehouse.replace_run(UNAVAILABLE, pl.concat([others.drop("run_id"), own]), lease)
