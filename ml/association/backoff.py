"""The association of pairs that nobody could have bought together yet, because one of the two is new.

Counted pairs need evidence; a product that was launched last week has none. What is said of it instead comes from its
category or from the graph's embedding of its attributes, whichever told the pairs of products without sales best in
windows of the past (:mod:`ml.contest.cold`), scaled to the lift that counted pairs have. Two products of one category
get no such association: they may replace each other, and nobody can tell yet.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load, save

from ml.association.attributes import node_attributes
from ml.association.baskets import IndexedBaskets, Ints, Reals
from ml.association.graph import GraphEmbedding, GraphParams
from ml.association.habits import HabitualCategories, at_level
from ml.association.rehearsal import PARTS, Scale

BACK_OFF_FILE, BACK_OFF_FACTS_FILE = "back_off.safetensors", "back_off.json"
LARGEST_LIFT = 10.0
"""Nothing is said to go together more often than that without a basket to show for it."""


@dataclass(frozen=True)
class BackOff:
    """What categories and attributes say of pairs, and which of the two is asked.

    Attributes
    ----------
    reading
        One of ``PARTS``.
    scales
        By reading; those of the category and of the graph serve products that lack what the chosen one needs.
    categories
        Names of the categories, ascending.
    category_lift
        (categories + 1, categories + 1) log lift within customers; the last stands for the unknown.
    product_ids, embeddings
        Products known at the time, ascending, sold or not; (products, dimensions).
    """

    reading: str
    scales: Mapping[str, Scale]
    categories: tuple[str, ...]
    category_lift: NDArray[np.float32]
    product_ids: tuple[str, ...]
    embeddings: NDArray[np.float32]

    def frame(self, catalogue: pl.DataFrame, new: pl.Series, pairs: pl.DataFrame) -> pl.DataFrame:
        """Return rows of ``ml.associations`` for the pairs of new products without a row in ``pairs``.

        Parameters
        ----------
        catalogue
            ``product_id``, ``category``, ``category_path``, ascending by product; new ones included.
        new
            Products too new to have evidence.
        pairs
            Rows of counted pairs, whose columns the result has, with ``evidence`` = the reading that was asked. Nothing
            is counted of them, so that their counts and intervals are 0.
        """
        names = catalogue["product_id"]
        fresh = np.flatnonzero(names.is_in(new.implode()).to_numpy())
        one, other = (side.ravel() for side in np.meshgrid(fresh, np.arange(len(names)), indexing="ij"))
        kept = (one != other) & ~(np.isin(other, fresh) & (other < one)) & ~_is_like(catalogue["category"], one, other)
        first, second = np.minimum(one, other)[kept], np.maximum(one, other)[kept]
        lift, reading = self._lift(catalogue, first, second)
        nothing = {"pair_baskets": 0, **dict.fromkeys(("expected_baskets", "lift", "lift_low", "lift_high"), 0.0)}
        rows = pl.DataFrame(
            {
                "product_a": names.gather(first),
                "product_b": names.gather(second),
                "association": lift,
                "evidence": pl.Series(reading, dtype=pl.String),
            }
        ).with_columns(**{name: pl.lit(value) for name, value in nothing.items()})
        columns = [pl.col(name).cast(kind) for name, kind in pairs.schema.items()]
        unknown = rows.filter(pl.col("association") > 0)
        return unknown.join(pairs, on=["product_a", "product_b"], how="anti").select(columns)

    def _lift(self, catalogue: pl.DataFrame, first: Ints, second: Ints) -> tuple[Reals, list[str]]:
        """Return the (pairs,) association, 0 where nothing is known, and the reading each came from."""
        category = at_level(catalogue["category_path"], self.categories)
        place = np.array([self._place.get(product, -1) for product in catalogue["product_id"].to_list()], np.int64)
        is_named = (category[first] < len(self.categories)) & (category[second] < len(self.categories))
        is_known = (place >= 0) & self.embeddings[place].any(axis=1)
        is_placed = is_known[first] & is_known[second]
        graph = (self.embeddings[place[first]] * self.embeddings[place[second]]).sum(axis=1)
        parts = np.stack([self.category_lift[category[first], category[second]], graph], axis=1).astype(np.float64)
        readable = {"category": is_named, "graph": is_placed, "blend": is_named & is_placed}
        wanted = [self.reading, "category", "graph"]  # the latter two where a product lacks what the first one reads
        can = [readable[name] for name in wanted]
        log_lift = np.select(can, [self.scales[name].log_lift(parts) for name in wanted], -np.inf)
        return np.minimum(np.exp(log_lift), LARGEST_LIFT), np.select(can, wanted, "").tolist()

    @cached_property
    def _place(self) -> dict[str, int]:
        return {product: place for place, product in enumerate(self.product_ids)}

    def dump(self) -> dict[str, bytes]:
        """Return the model as files: name to content."""
        facts = {
            "reading": self.reading,
            "scales": {name: asdict(scale) for name, scale in self.scales.items()},
            "categories": self.categories,
            "product_ids": self.product_ids,
        }
        arrays = {"category_lift": self.category_lift, "embeddings": self.embeddings}
        return {BACK_OFF_FILE: save(arrays), BACK_OFF_FACTS_FILE: json.dumps(facts).encode()}


def load_back_off(files: Mapping[str, bytes]) -> BackOff | None:
    """Return what :meth:`BackOff.dump` wrote; None for a model that was registered before there was any."""
    if BACK_OFF_FACTS_FILE not in files:
        return None
    facts = json.loads(files[BACK_OFF_FACTS_FILE])
    return BackOff(
        facts["reading"],
        {name: Scale(**scale) for name, scale in facts["scales"].items()},
        tuple(facts["categories"]),
        product_ids=tuple(facts["product_ids"]),
        **load(files[BACK_OFF_FILE]),
    )


def fit_back_off(
    baskets: IndexedBaskets,
    catalogue: pl.DataFrame,
    reading: str,
    scales: Mapping[str, Scale],
    seed: int,
    sentences: bool = False,
) -> BackOff:
    """Learn from all baskets what a reading, chosen and scaled before, says of every product of the catalogue.

    Parameters
    ----------
    baskets
        Of the products that can be counted.
    catalogue
        All products that could be offered, sold or not, ascending: ``product_id`` and what
        :func:`ml.association.attributes.node_attributes` reads. The graph is learned on the former, and the others are
        placed by their attributes.
    """
    row = {product: place for place, product in enumerate(catalogue["product_id"].to_list())}
    counted = np.array([row[product] for product in baskets.product_ids], np.int64)
    attributes, _ = node_attributes(catalogue, sentences)
    graph = GraphEmbedding(baskets, attributes[counted], GraphParams(), seed)
    embeddings = graph.of_attributes(attributes)
    embeddings[counted] = graph.unit
    habits = HabitualCategories(baskets, catalogue["category_path"].gather(counted))
    return BackOff(
        reading,
        {name: scales[name] for name in PARTS},
        habits.names,
        habits.log_lift.astype(np.float32),
        tuple(catalogue["product_id"]),
        embeddings.astype(np.float32),
    )


def _is_like(categories: pl.Series, first: Ints, second: Ints) -> NDArray[np.bool_]:
    number = categories.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return (number[first] > 0) & (number[first] == number[second])
