"""Land the records of the quarantine that are good by now, or that somebody mended."""

from ml.params import Context, Counts
from ml.quarantine import replay
from ml.settings import Settings
from ml.sources.mending import mended_records
from ml.warehouse import Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Validate every record that waits in the quarantine anew, with the changes of ``--mended`` where it names a file.

    Raises
    ------
    DataError
        When the file cannot be read, or mends a record that does not wait in the quarantine.
    """
    mended = mended_records(context.mended) if context.mended else None
    return dict(replay(Warehouse(settings, "loader"), settings, context.as_of, mended=mended))
