"""Why this bundle, in words made of stored facts only: what the customer bought, and what the counts say.

Every number in a reason stands in a table: purchases in ``features.ftr_customer_products``, pairs in
``ml.associations``, sources in ``ml.candidates``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

SOURCE_WORDS = {
    "popular": "popular in the last four weeks",
    "co_purchased": "often bought with what the customer buys",
    "category": "popular in a category the customer buys",
    "new": "new in the shop",
    "asked": "asked for by the shop",
}


@dataclass(frozen=True)
class ItemFacts:
    """What is known of one product of the bundle and its customer.

    Attributes
    ----------
    name
        Title, or the product's id where there is none.
    baskets
        In how many of the customer's baskets it lay, 0 for never.
    days_since_last
        Days since the last of them, None for never.
    sources
        Who proposed it.
    """

    name: str
    baskets: int
    days_since_last: int | None
    sources: Sequence[str]


@dataclass(frozen=True)
class PairFacts:
    """The evidence of one pair: co-purchases, and how many times what habits explain, with the 95 % interval.

    ``estimate`` stands in their place where one of the two is new: how many times, judging by products like them.
    """

    pair_baskets: int
    lift: float
    lift_low: float
    lift_high: float
    estimate: float | None = None


def reason(items: Sequence[ItemFacts], pairs: dict[tuple[int, int], PairFacts]) -> str:
    """Return the reason of a bundle.

    Parameters
    ----------
    items
        The products in their order of position.
    pairs
        Evidence by the positions of two items, lower first; pairs without evidence are left out.
    """
    sentences = _evidence([item.name for item in items], pairs)
    return _text([*sentences, "; ".join(_history(item) for item in items)])


def listed_reason(
    names: Sequence[str], pairs: dict[tuple[int, int], PairFacts], wanting: int, best: int, customers: int
) -> str:
    """Return the reason of a bundle on the list for everybody.

    Parameters
    ----------
    names
        Of its products, in order.
    pairs
        As for :func:`reason`.
    wanting, best, customers
        For how many customers it is worth showing, for how many of these it is the best of the list, and of how many.
    """
    served = f"worth showing to {wanting} of {_counted(customers, 'customer')}, the best of the list for {best} of them"
    return _text([served, *_evidence(names, pairs)])


def _text(sentences: Sequence[str]) -> str:
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences if sentence) + "."


def _evidence(names: Sequence[str], pairs: dict[tuple[int, int], PairFacts]) -> list[str]:
    return [_pair(names, at, pairs[at]) for at in combinations(range(len(names)), 2) if at in pairs]


def _pair(all_names: Sequence[str], at: tuple[int, int], facts: PairFacts) -> str:
    names = f"{all_names[at[0]]} and {all_names[at[1]]}"
    if facts.estimate is not None:
        like = f"products like them are bought together {facts.estimate:.1f} times what the buyers' habits explain"
        return f"{names} are too new together to have been counted; {like}"
    times = f"{facts.lift:.1f} times what the buyers' habits explain ({facts.lift_low:.1f} to {facts.lift_high:.1f})"
    return f"{names} were bought together in {_counted(facts.pair_baskets, 'basket')}, {times}"


def _history(item: ItemFacts) -> str:
    if item.baskets:
        ago = "" if item.days_since_last is None else f", last {_counted(item.days_since_last, 'day')} ago"
        return f"{item.name}: in {_counted(item.baskets, 'basket')} of this customer{ago}"
    why = ", ".join(SOURCE_WORDS.get(source, source) for source in item.sources if source != "bought")
    return f"{item.name}: never bought by this customer" + (f", proposed because {why}" if why else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def pair_facts(row: Mapping[str, Any]) -> PairFacts:
    """Return the facts of a row of ``ml.associations``."""
    estimate = None if row["evidence"] == "counted" else row["association"]
    return PairFacts(row["pair_baskets"], row["lift"], row["lift_low"], row["lift_high"], estimate)
