"""A shop whose truth is known: what customers want, what goes together, what competes, how prices act."""

from ml.sources.simulated_shop.shop import SimulatedShop
from ml.sources.simulated_shop.truth import FIRST_AS_OF, Size, Truth

__all__ = ["FIRST_AS_OF", "SimulatedShop", "Size", "Truth"]
