"""Sources by name, as the trigger form offers them."""

from ml.settings import Settings
from ml.sources.complete_journey import CompleteJourney
from ml.sources.delivery import Source
from ml.sources.folder import Folder
from ml.sources.online_retail import OnlineRetail
from ml.sources.simulated_shop import SimulatedShop, Size


def open_source(name: str, settings: Settings, seed: int) -> Source:
    """Return the source of that name; ``RunParams`` has checked that it is one of these."""
    wanted = settings.source
    largest = wanted.largest_file_mb * 2**20
    if name == "folder":
        return Folder(wanted.folder, largest=largest, requires_manifest=wanted.requires_manifest)
    if name == "online_retail":
        return OnlineRetail(wanted.online_retail, largest)
    if name == "simulated_shop":
        return SimulatedShop(Size(wanted.simulated_customers, wanted.simulated_products, wanted.simulated_days), seed)
    return CompleteJourney()
