"""How large a sequence model is and how it learns."""

from dataclasses import dataclass

from ml.errors import ConfigError

OPTIMIZERS = ("adam", "rmsprop")


@dataclass(frozen=True)
class SequenceParams:
    """Size of the network and how it learns; see :class:`ml.preference.sequence_training.Effort`.

    Parameters
    ----------
    visits
        How many of a customer's last tokens the encoder reads: visits, and runs of events where there are any.
    threads, seed
        Of torch; the same seed and number of threads give the same model.

    Raises
    ------
    ConfigError
        When a number is out of range or the optimizer unknown.
    """

    dimensions: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.1
    visits: int = 48
    epochs: int = 4
    patience: int = 2
    batch: int = 16
    negatives: int = 400
    optimizer: str = "adam"
    learning_rate: float = 0.003
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("dimensions", "layers", "heads", "visits", "epochs", "batch", "negatives", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"sequence.{name}: got {getattr(self, name)}, needs more than 0")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"sequence.dropout: got {self.dropout}, needs a share below 1")
        if self.dimensions % self.heads:
            raise ConfigError(f"sequence.dimensions: {self.dimensions} is not a multiple of {self.heads} heads")
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError(f"sequence.optimizer: got {self.optimizer!r}, known are {', '.join(OPTIMIZERS)}")
