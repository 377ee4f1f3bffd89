"""Co-purchases compared with what each customer's own habits explain, with the evidence behind each pair.

The association of a pair is its size-adjusted within-customer lift, shrunk towards 1:

    L_ij = (C_ij + k) / (E_ij + k)

C counts the baskets of known customers that hold both; E is what those customers' habits explain
(:func:`ml.association.counting.expected_pairs`). Once preferences are personal, a lift over the whole population
would count a customer's taste twice. Pairs seen in fewer than ``min_pair_baskets`` baskets have association 0:
no bundle rests on them. Nor does a pair rest on one customer: where one holds more of its baskets than all others
together, and more than ``MOST_OF_ONE``, theirs are taken out of C and of E.

Source
------
The shrinkage is the mean of a Gamma(k, k) prior's posterior on the rate of a Poisson count: DuMouchel (1999), Bayesian
data mining in large frequency tables, The American Statistician 53(3). The interval is that of the count alone:
Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
import polars as pl
from safetensors.numpy import load, save
from scipy.special import gammaincinv

from ml.association.baskets import Codes, IndexedBaskets, Ints, Reals
from ml.association.counting import count_pairs, expected_of, expected_pairs, heaviest_customers
from ml.association.symmetric import SymmetricPairs
from ml.errors import ConfigError, DataError

Counts = TypeVar("Counts", Codes, Ints)
Kind = Literal["lift", "population_lift", "cosine", "evidence"]
"""Named readings of the counts: the shrunk within-customer lift, two baselines, and 1 wherever there is evidence."""
ARRAYS_FILE = "pairs.safetensors"
FACTS_FILE = "association.json"
CONFIDENCE = 0.95
MOST_OF_ONE = 30
"""Baskets of a pair that one customer may have, whatever the others have. On Complete Journey 0.04 % of the pairs are
beyond it, and nothing is lost on later baskets (pair AUC .736 and .735); a bound of 10 costs .005, as habits last."""


@dataclass(frozen=True)
class CooccurrenceParams:
    """How pairs are counted.

    Attributes
    ----------
    shrinkage
        k, added to count and expectation of each pair; 5 won on Complete Journey.
    min_pair_baskets
        A pair in fewer baskets is no evidence.
    """

    shrinkage: float = 5.0
    min_pair_baskets: int = 5

    def __post_init__(self) -> None:
        if self.shrinkage <= 0:
            raise ConfigError(f"shrinkage: got {self.shrinkage}, must be > 0")
        if self.min_pair_baskets < 1:
            raise ConfigError(f"min_pair_baskets: got {self.min_pair_baskets}, must be >= 1")


@dataclass(frozen=True)
class Cooccurrence:
    """A counted catalogue: every pair with evidence, and what the named associations make of it.

    Attributes
    ----------
    product_ids
        Identifier of each product code, ascending.
    product_baskets
        (products,) int64, baskets that hold the product, unknown customers included.
    baskets_total
        All baskets, unknown customers included.
    first, second
        (pairs,) int32 product codes, first < second, ascending.
    all_pair_baskets
        (pairs,) int32, baskets that hold both, unknown customers included.
    pair_baskets
        (pairs,) int32, baskets of known customers that hold both, without those of a customer who outweighs the others.
    expected_baskets
        (pairs,) float64, how many of them the customers' own habits explain.
    outweighed_pairs
        How many pairs one customer outweighed.
    """

    params: CooccurrenceParams
    product_ids: tuple[str, ...]
    baskets_total: int
    product_baskets: Ints
    first: Codes
    second: Codes
    all_pair_baskets: Codes
    pair_baskets: Codes
    expected_baskets: Reals
    outweighed_pairs: int = 0

    @cached_property
    def code(self) -> dict[str, int]:
        """Return the code of each product."""
        return {product: code for code, product in enumerate(self.product_ids)}

    def codes(self, product_ids: pl.Series) -> Ints:
        """Return the codes of products, -1 where a product was never counted."""
        return np.array([self.code.get(product, -1) for product in product_ids.to_list()], np.int64)

    def values(self, kind: Kind = "lift") -> Reals:
        """Return the (pairs,) association of the named kind, >= 0."""
        if kind == "cosine":
            together = self.product_baskets[self.first] * self.product_baskets[self.second]
            return np.asarray(self.all_pair_baskets / np.sqrt(together))
        if kind == "population_lift":
            together = self.product_baskets[self.first] * self.product_baskets[self.second]
            k = self.params.shrinkage
            return np.asarray((self.all_pair_baskets + k) / (together / max(self.baskets_total, 1) + k))
        if kind == "evidence":
            return np.ones(len(self.first))
        return shrunk_lift(self.pair_baskets, self.expected_baskets, self.params)

    def matrix(self, kind: Kind = "lift", product_ids: Sequence[str] | None = None) -> SymmetricPairs:
        """Return the association of the named kind as a sparse symmetric matrix.

        Parameters
        ----------
        product_ids
            Products in the order of the rows wanted; those of the model when None.
        """
        if product_ids is None:
            return SymmetricPairs.of(self.first, self.second, self.values(kind), len(self.product_ids))
        row = {product: code for code, product in enumerate(product_ids)}
        rows = np.array([row.get(product, -1) for product in self.product_ids], np.int32)
        first, second = rows[self.first], rows[self.second]
        kept = (first >= 0) & (second >= 0)
        return SymmetricPairs.of(first[kept], second[kept], self.values(kind)[kept], len(product_ids))

    def evidence(self) -> tuple[Reals, Reals, Reals]:
        """Return the (pairs,) lift C / E without shrinkage, and the ends of its exact 95 % interval."""
        return lift_interval(self.pair_baskets, self.expected_baskets)

    def frame(self, kind: Kind = "lift") -> pl.DataFrame:
        """Return one row a pair whose association is above 0, in the columns of ``ml.associations`` without the run."""
        lift, low, high = self.evidence()
        names = pl.Series(self.product_ids, dtype=pl.String)
        return pl.DataFrame(
            {
                "product_a": names.gather(self.first),
                "product_b": names.gather(self.second),
                "pair_baskets": self.pair_baskets,
                "expected_baskets": self.expected_baskets,
                "lift": lift,
                "lift_low": low,
                "lift_high": high,
                "association": self.values(kind),
                "evidence": pl.repeat("counted", len(self.first), dtype=pl.String, eager=True),
            }
        ).filter(pl.col("association") > 0)

    def dump(self) -> dict[str, bytes]:
        """Return the model as files: name to content."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)}
        facts = {
            "params": asdict(self.params),
            "baskets_total": self.baskets_total,
            "product_ids": self.product_ids,
            "outweighed_pairs": self.outweighed_pairs,
        }
        return {ARRAYS_FILE: save(arrays), FACTS_FILE: json.dumps(facts).encode()}


def lift_interval(pair_baskets: Counts, expected: Reals) -> tuple[Reals, Reals, Reals]:
    """Return (pairs,) C / E without shrinkage, and the ends of its exact 95 % interval.

    All three are 0 where known customers' habits explain nothing: there the count says nothing about habits.
    """
    low, high = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    counts = pair_baskets.astype(float)
    ends = (counts, gammaincinv(np.maximum(counts, 1e-9), low), gammaincinv(counts + 1, high))
    lift, lift_low, lift_high = (
        np.divide(end, expected, out=np.zeros_like(expected), where=expected > 0) for end in ends
    )
    return lift, lift_low, lift_high


def shrunk_lift(pair_baskets: Codes, expected_baskets: Reals, params: CooccurrenceParams) -> Reals:
    """Return (C + k) / (E + k) where C reaches the minimum evidence, else 0."""
    lift = (pair_baskets + params.shrinkage) / (expected_baskets + params.shrinkage)
    return np.where(pair_baskets >= params.min_pair_baskets, lift, 0.0)


def fit_cooccurrence(baskets: IndexedBaskets, params: CooccurrenceParams) -> Cooccurrence:
    """Count the pairs of a period.

    Parameters
    ----------
    baskets
        Baskets of the period only: whatever lies in them is learned.
    params
        Shrinkage and minimum evidence.
    """
    first, second, all_pair_baskets, pair_baskets = count_pairs(baskets, params.min_pair_baskets)
    expected = expected_pairs(baskets, first, second)
    pair_baskets, expected, outweighed = without_outweighing(baskets, first, second, pair_baskets, expected)
    return Cooccurrence(
        params=params,
        product_ids=baskets.product_ids,
        baskets_total=baskets.baskets_total,
        product_baskets=baskets.product_baskets(),
        first=first,
        second=second,
        all_pair_baskets=all_pair_baskets,
        pair_baskets=pair_baskets,
        expected_baskets=expected,
        outweighed_pairs=outweighed,
    )


def without_outweighing(
    baskets: IndexedBaskets, first: Codes, second: Codes, pair_baskets: Counts, expected: Reals
) -> tuple[Counts, Reals, int]:
    """Return counts and expectations without the customer who outweighs all others in a pair; and of how many pairs.

    Parameters
    ----------
    first, second
        (pairs,) product codes, first < second, in ascending order.
    pair_baskets, expected
        (pairs,) baskets of known customers that hold both; and those that their habits explain.
    """
    customers, most = heaviest_customers(baskets, first, second)
    outweighed = np.flatnonzero(most > np.maximum(pair_baskets - most, MOST_OF_ONE))
    counts, left = pair_baskets.copy(), expected.copy()
    counts[outweighed] -= most[outweighed]
    left[outweighed] -= expected_of(baskets, customers[outweighed], first[outweighed], second[outweighed])
    return counts, np.maximum(left, 0.0), len(outweighed)  # rounding may leave less than nothing


def load_cooccurrence(files: Mapping[str, bytes]) -> Cooccurrence:
    """Return the model that :meth:`Cooccurrence.dump` wrote.

    Raises
    ------
    DataError
        When a file is missing.
    """
    missing = {ARRAYS_FILE, FACTS_FILE} - set(files)
    if missing:
        raise DataError(f"association model: files missing: {', '.join(sorted(missing))}")
    facts = json.loads(files[FACTS_FILE])
    return Cooccurrence(
        params=CooccurrenceParams(**facts["params"]),
        product_ids=tuple(facts["product_ids"]),
        baskets_total=facts["baskets_total"],
        outweighed_pairs=facts["outweighed_pairs"],
        **load(files[ARRAYS_FILE]),
    )
