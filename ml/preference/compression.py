"""What is known about a smaller form of a model, kept beside it."""

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from ml.preference.contract import PreferenceModel


@dataclass(frozen=True)
class Compression:
    """What was found about a model's weights in 8 bits, kept beside the model.

    Attributes
    ----------
    is_used, reason
        Whether they stand for those of 32 bits, and why.
    ndcg_10_loss, ndcg_10_loss_high
        Share of the model's NDCG@10 on its validation that they lose, and the upper end of its interval.
    size_share
        Their size over that of the weights of 32 bits.
    """

    is_used: bool
    reason: str
    ndcg_10_loss: float
    ndcg_10_loss_high: float
    size_share: float


@runtime_checkable
class Shrinkable(PreferenceModel, Protocol):
    """A fitted model that has a form with weights of 8 bits."""

    compression: Compression | None

    @property
    def weight_bytes(self) -> int:
        """Return the size of the weights as they are saved."""
        ...

    def in_int8(self) -> Self:
        """Return the smaller form; the model itself stays as it is."""
        ...
