"""Customers who ask to be left out."""

from ml.settings import Settings
from ml.warehouse import Warehouse


def request_erasure(settings: Settings, customer_id: str, asked_by: str) -> int:
    """Write down that a customer asked to be left out, and return how many rows of results went.

    From then on nothing that is published shows them, no stage reads a row of theirs, and a run that was under way with
    them is not published. What they delivered stays in the schemas before ``ml``.

    Raises
    ------
    DataError
        When no customer is named.
    """
    call = {"customer_id": customer_id, "asked_by": asked_by}
    ((gone,),) = Warehouse(settings, "publisher").call("ops.request_erasure", **call)
    return int(gone)
