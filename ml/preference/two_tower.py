"""The commissioning formula, kept as a named baseline: P = sigmoid(W1 e(u) + W2 e(i) + b)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from ml.errors import ConfigError
from ml.preference.contract import Probabilities, check_candidates, check_fitted, read_facts, write_facts
from ml.preference.history import positions

ARRAYS = "towers.safetensors"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class TwoTowerParams:
    """Size of the embeddings and how they are trained.

    Raises
    ------
    ConfigError
        When a number is not positive.
    """

    dimensions: int = 8
    negatives: int = 200
    steps: int = 150
    learning_rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("dimensions", "negatives", "steps", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"two_tower_additive.{name}: got {getattr(self, name)}, needs more than 0")


class TwoTowerAdditive:
    """Embeddings of customer and product that meet only in a sum.

    The sum stands inside a monotone function, so the customer's part moves all products alike: **every customer
    gets the same ranking**. Trained by full-batch Adam on the target baskets against sampled products, weighted so
    that P is the probability over the whole catalogue.

    Shapes and units
    ----------------
    e(u) (customers, d), e(i) (products, d), W1 and W2 (d,); score (n,) float64 in [0, 1].

    Raises
    ------
    NotFittedError
        When ``score`` or ``save`` is called before ``fit``.

    Source
    ------
    The formula this project was commissioned with; Kingma and Ba (2015), Adam, ICLR, for its training.
    """

    kind: ClassVar[str] = "two_tower_additive"

    def __init__(self, params: TwoTowerParams | None = None) -> None:
        self.params = params or TwoTowerParams()
        self._customers: pl.Series | None = None
        self._products = pl.Series(dtype=pl.String)
        self._towers: dict[str, Array] = {}

    def fit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Learn from the examples' requests; see :class:`ml.preference.contract.PreferenceModel`."""
        rng = np.random.default_rng(self.params.seed)
        self._customers = examples["customer_id"].unique().sort()
        self._products = pl.concat([products["product_id"], examples["product_id"]]).unique().sort()
        customer, product, bought, weight = self._pairs(examples, rng)
        d = self.params.dimensions
        towers = {
            "customer": rng.normal(0, 0.1, (len(self._customers), d)),
            "product": rng.normal(0, 0.1, (len(self._products), d)),
            "w1": rng.normal(0, 0.5, d),
            "w2": rng.normal(0, 0.5, d),
            "b": np.array([_log_odds(np.average(bought, weights=weight))]),
        }
        first, second = ({name: np.zeros_like(value) for name, value in towers.items()} for _ in range(2))
        for step in range(1, self.params.steps + 1):
            error = weight * (_predict(towers, customer, product) - bought) / weight.sum()
            by_customer = np.bincount(customer, error, len(self._customers))
            by_product = np.bincount(product, error, len(self._products))
            slopes = {
                "customer": by_customer[:, None] * towers["w1"],
                "product": by_product[:, None] * towers["w2"],
                "w1": by_customer @ towers["customer"],
                "w2": by_product @ towers["product"],
                "b": np.array([error.sum()]),
            }
            for name, slope in slopes.items():
                first[name] = 0.9 * first[name] + 0.1 * slope
                second[name] = 0.999 * second[name] + 0.001 * slope**2
                rate = self.params.learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                towers[name] = towers[name] - rate * first[name] / (np.sqrt(second[name]) + 1e-12)
        self._towers = towers
        return self

    def score(self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame) -> Probabilities:
        """Return P of each candidate; unknown customers and products have a tower of zeros."""
        check_fitted(bool(self._towers), self.kind)
        check_candidates(candidates)
        assert self._customers is not None  # noqa: S101 - for the type checker; checked above
        customer = positions(candidates["customer_id"], self._customers)
        product = positions(candidates["product_id"], self._products)
        padded = {**self._towers, **{name: np.vstack([self._towers[name], np.zeros(self.params.dimensions)])
                                     for name in ("customer", "product")}}  # fmt: skip
        return _predict(padded, customer, product)

    def save(self, folder: Path) -> None:
        """Write the towers as safetensors, names and params as JSON."""
        check_fitted(bool(self._towers), self.kind)
        assert self._customers is not None  # noqa: S101 - for the type checker; checked above
        names = {"customers": self._customers.to_list(), "products": self._products.to_list()}
        write_facts(folder, self.kind, {"params": asdict(self.params), **names})
        save_file(self._towers, folder / ARRAYS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts = read_facts(folder)
        model = cls(TwoTowerParams(**facts["params"]))
        model._customers = pl.Series(facts["customers"], dtype=pl.String)
        model._products = pl.Series(facts["products"], dtype=pl.String)
        model._towers = load_file(folder / ARRAYS)
        return model

    def _pairs(
        self, examples: pl.DataFrame, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]:
        """Return customer, product, bought, weight of all bought pairs and of sampled others."""
        assert self._customers is not None  # noqa: S101 - set by fit
        hits = examples.filter("is_bought")
        requests = examples.select("customer_id", "cut").unique().sort("customer_id", "cut")
        counts = hits.group_by("customer_id", "cut").len("held")
        held = requests.join(counts, on=["customer_id", "cut"], how="left", maintain_order="left")["held"].fill_null(0)
        drawn = rng.integers(0, len(self._products), (requests.height, self.params.negatives))
        who = positions(requests["customer_id"], self._customers)
        others = (len(self._products) - held.to_numpy()) / self.params.negatives
        customer = np.concatenate([positions(hits["customer_id"], self._customers), np.repeat(who, drawn.shape[1])])
        product = np.concatenate([positions(hits["product_id"], self._products), drawn.ravel()])
        bought = np.concatenate([np.ones(hits.height), np.zeros(drawn.size)])
        weight = np.concatenate([np.ones(hits.height), np.repeat(others, drawn.shape[1])])
        return customer, product, bought, weight


def _predict(towers: dict[str, Array], customer: NDArray[np.int64], product: NDArray[np.int64]) -> Array:
    of_customer = towers["customer"] @ towers["w1"]
    of_product = towers["product"] @ towers["w2"]
    return 1 / (1 + np.exp(-(of_customer[customer] + of_product[product] + towers["b"][0])))


def _log_odds(p: float) -> float:
    clipped = min(max(p, 1e-9), 1 - 1e-9)
    return float(np.log(clipped / (1 - clipped)))
