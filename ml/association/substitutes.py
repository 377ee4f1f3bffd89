"""Which pairs complete each other, and which stand in for each other.

Both needs are given: what is expected of a pair rests on what each customer buys of both. Only pairs of like products,
which serve the same need, are tested for being substitutes, and only the others for being complements: flavours of one
yogurt are often bought together and complete nothing, and products of different seasons never meet. Like are products
of one category; where a category is not known, those with the same partners (cosine of their profiles of log lifts).

Complements
    Baskets that hold both, against those expected: the exact tail of a Poisson count. The other two findings tell
    complements from unrelated pairs worse than this one alone (simulated shop: AUC .83 for the sum, .87 for the count).
Substitutes
    The sum of three findings, each as z against what it is among unlike pairs: *joint*, baskets that hold both, fewer
    than expected; *lonely*, customers who buy both and never together, more than expected, each customer one trial; and
    *price*, whether the demand for one follows the price of the other (:mod:`ml.association.price_effects`). Its null
    distribution is that among unlike pairs: a normal around their median, with the spread of their upper 5 %, so that
    a shop's own clumping does not pass for a finding (Efron 2004, Large-scale simultaneous hypothesis testing: the
    choice of a null hypothesis, JASA 99).

Of all verdicts of one kind at most ``error_share`` are false in the mean: Benjamini and Hochberg (1995),
Controlling the false discovery rate, J. R. Stat. Soc. B 57(1).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load, save
from scipy.stats import false_discovery_control, norm, poisson

from ml.association.baskets import Codes, Ints, Reals, index_baskets
from ml.association.cooccurrence import lift_interval, without_outweighing
from ml.association.meetings import Meetings, meetings
from ml.association.price_effects import cross_effects
from ml.association.symmetric import SymmetricPairs
from ml.errors import ConfigError, DataError
from ml.influence import counted

RELATIONS = ("undecided", "complement", "substitute")
UNDECIDED, COMPLEMENT, SUBSTITUTE = range(len(RELATIONS))
RELATIONS_FILE, RELATION_FACTS_FILE = "relations.safetensors", "relations.json"
LIKE_PARTNERS = 0.3
"""Cosine of partners from which two products without category are like; on Complete Journey 1 % of the pairs of
different departments reach it."""
LEAST_REFERENCE = 50
"""Pairs of unlike products without which there is nothing to compare with, and nobody is called a substitute."""


@dataclass(frozen=True)
class SubstituteParams:
    """How pairs are told apart.

    Attributes
    ----------
    least_baskets
        Pairs expected, and seen, in fewer baskets are not looked at.
    error_share
        Share of false verdicts of a kind that is allowed in the mean.
    shrinkage
        As in the association: steadies the log lifts of the partners.
    """

    least_baskets: float = 5.0
    error_share: float = 0.05
    shrinkage: float = 5.0

    def __post_init__(self) -> None:
        if self.least_baskets <= 0 or self.shrinkage <= 0:
            raise ConfigError(f"least_baskets {self.least_baskets}, shrinkage {self.shrinkage}: must be > 0")
        if not 0 < self.error_share < 1:
            raise ConfigError(f"error_share: got {self.error_share}, must be within 0 and 1")


@dataclass(frozen=True)
class Relations:
    """Verdicts on pairs, with the evidence.

    Attributes
    ----------
    product_ids
        Identifier of each product code, ascending.
    first, second
        (pairs,) int32 product codes, first < second, ascending.
    together, expected, apart, apart_expected
        (pairs,) as in :class:`ml.association.meetings.Meetings`.
    joint, lonely, price
        (pairs,) the three findings as z, high for substitutes: of the baskets, of the customers, of the prices.
    partners
        (pairs,) cosine of the profiles of partners.
    is_like
        (pairs,) whether the two serve the same need.
    statistic
        (pairs,) the three added up, as z against unlike pairs; 0 where these are too few to compare with.
    q_value
        (pairs,) share of false ones among the verdicts of the kind that the pair was tested for, were it the last.
    relation
        (pairs,) int8, position in ``RELATIONS``.
    """

    params: SubstituteParams
    product_ids: tuple[str, ...]
    first: Codes
    second: Codes
    together: Ints
    expected: Reals
    apart: Ints
    apart_expected: Reals
    joint: Reals
    lonely: Reals
    price: Reals
    partners: Reals
    is_like: NDArray[np.bool_]
    statistic: Reals
    q_value: Reals
    relation: NDArray[np.int8]

    def frame(self) -> pl.DataFrame:
        """Return one row a pair: ``product_a``, ``product_b``, the evidence, ``relation`` in words."""
        names = pl.Series(self.product_ids, dtype=pl.String)
        evidence = {name: getattr(self, name) for name in _arrays() if name not in ("first", "second", "relation")}
        words = pl.Series(RELATIONS).gather(self.relation.astype(np.int64))
        return pl.DataFrame(
            {
                "product_a": names.gather(self.first),
                "product_b": names.gather(self.second),
                **evidence,
                "relation": words,
            }
        )

    def mark(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Return rows of ``ml.associations`` with ``relation``, and with the substitutes that had no evidence to meet.

        Parameters
        ----------
        pairs
            Rows of :meth:`ml.association.cooccurrence.Cooccurrence.frame`. Substitutes are often in too few baskets to
            be among them; they are added with association 0, as a bundle may hold both for the sake of a third.
        """
        verdicts = self.frame()
        key = ["product_a", "product_b"]
        told = pairs.join(verdicts.select(*key, "relation"), on=key, how="left", maintain_order="left")
        told = told.with_columns(pl.col("relation").fill_null(RELATIONS[UNDECIDED]))
        lift, low, high = lift_interval(self.together, self.expected)
        added = (
            verdicts.with_columns(
                pair_baskets=pl.col("together"), expected_baskets=pl.col("expected"), lift=lift, lift_low=low,
                lift_high=high, association=0.0, evidence=pl.lit("counted"),
            )
            .filter(pl.col("relation") == RELATIONS[SUBSTITUTE])
            .join(pairs, on=key, how="anti")
        )  # fmt: skip
        columns = [pl.col(name).cast(kind) for name, kind in told.schema.items()]
        return pl.concat([told, added.select(columns)]).sort(key)

    def numbers(self) -> dict[str, int]:
        """Return how many pairs got each verdict."""
        counts = np.bincount(self.relation, minlength=len(RELATIONS))
        return {f"{name}_pairs": int(count) for name, count in zip(RELATIONS, counts, strict=True)}

    def dump(self) -> dict[str, bytes]:
        """Return the verdicts as files: name to content."""
        facts = {"params": asdict(self.params), "product_ids": self.product_ids}
        arrays = {name: getattr(self, name) for name in _arrays()}
        return {RELATIONS_FILE: save(arrays), RELATION_FACTS_FILE: json.dumps(facts).encode()}


def load_relations(files: Mapping[str, bytes]) -> Relations:
    """Return what :meth:`Relations.dump` wrote.

    Raises
    ------
    DataError
        When a file is missing.
    """
    missing = {RELATIONS_FILE, RELATION_FACTS_FILE} - set(files)
    if missing:
        raise DataError(f"association model: files missing: {', '.join(sorted(missing))}; retrain it")
    facts = json.loads(files[RELATION_FACTS_FILE])
    return Relations(SubstituteParams(**facts["params"]), tuple(facts["product_ids"]), **load(files[RELATIONS_FILE]))


def tell_apart(baskets: pl.DataFrame, products: pl.DataFrame, params: SubstituteParams | None = None) -> Relations:
    """Return the verdict on each pair that customers could have bought together often enough.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets`` of the period that is learned from.
    products
        ``product_id``, ``category`` (null where unknown), as in ``features.ftr_products``.
    """
    params = params or SubstituteParams()
    index = index_baskets(baskets)
    met = meetings(index, params.least_baskets)
    together, expected, _ = without_outweighing(index, met.first, met.second, met.together, met.expected)
    met = met._replace(together=together, expected=expected)
    joint = 2 * (np.sqrt(expected + 3 / 8) - np.sqrt(together + 3 / 8))  # Anscombe (1948): variance 1
    # One more in the variance: a single customer who cannot have missed both is no more than one trial.
    lonely = (met.apart - met.apart_expected) / np.sqrt(met.apart_variance + 1)
    price = cross_effects(counted(baskets), index.product_ids, met.first, met.second)
    partners = _partners(met, len(index.product_ids), params.shrinkage)
    is_like = _is_like(products, index.product_ids, met, partners)
    statistic = np.zeros(len(joint))
    if np.count_nonzero(~is_like) >= LEAST_REFERENCE:
        for finding in (joint, lonely, price):
            statistic += _against(finding, ~is_like)
        statistic = _against(statistic, ~is_like)
    p_value = np.where(is_like, norm.sf(statistic), poisson.sf(together - 1, expected))
    q_value, relation = np.ones(len(joint)), np.full(len(joint), UNDECIDED, np.int8)
    # A pair that meets no less often than expected is no substitute, whatever its prices say.
    for tested, is_so, kind in ((is_like, joint > 0, SUBSTITUTE), (~is_like, joint < 0, COMPLEMENT)):
        if tested.any():
            q_value[tested] = false_discovery_control(p_value[tested])
        relation[tested & is_so & (q_value <= params.error_share)] = kind
    return Relations(
        params, index.product_ids, met.first, met.second, together, expected, met.apart, met.apart_expected,
        joint, lonely, price, partners, is_like, statistic, q_value, relation,
    )  # fmt: skip


def _against(values: Reals, reference: NDArray[np.bool_]) -> Reals:
    """Return values as z against those of the reference, whose upper end sets the spread: no substitute lies there."""
    middle, high = np.quantile(values[reference], [0.5, 0.95])
    return (values - middle) / (high - middle) * norm.ppf(0.95) if high > middle else np.zeros_like(values)


def _partners(met: Meetings, products: int, shrinkage: float) -> Reals:
    """Return the cosine of the two rows of log lifts of each pair; what they have with each other does not enter."""
    log_lift = np.log((met.together + shrinkage) / (met.expected + shrinkage))
    return SymmetricPairs.of(met.first, met.second, log_lift, products).cosines(met.first, met.second)


def _is_like(products: pl.DataFrame, product_ids: tuple[str, ...], met: Meetings, partners: Reals) -> NDArray[np.bool_]:
    known = pl.DataFrame({"product_id": product_ids}, schema={"product_id": pl.String}).join(
        products.select("product_id", "category"), on="product_id", how="left", maintain_order="left"
    )
    category = known["category"].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    one, other = category[met.first], category[met.second]
    return np.where((one > 0) & (other > 0), one == other, partners >= LIKE_PARTNERS)


def _arrays() -> list[str]:
    return [field.name for field in fields(Relations) if field.name not in ("params", "product_ids")]
