"""Why this bundle, in words made of stored facts only: what the customer bought, and what the counts say.

Every number in a reason stands in a table: purchases in ``features.ftr_customer_products``, pairs in
``ml.associations``, sources in ``ml.candidates``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

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
    """The evidence of one pair: co-purchases, and how many times what habits explain, with the 95 % interval."""

    pair_baskets: int
    lift: float
    lift_low: float
    lift_high: float


def reason(items: Sequence[ItemFacts], pairs: dict[tuple[int, int], PairFacts]) -> str:
    """Return the reason of a bundle.

    Parameters
    ----------
    items
        The products in their order of position.
    pairs
        Evidence by the positions of two items, lower first; pairs without evidence are left out.
    """
    sentences = [_pair(items, at, pairs[at]) for at in combinations(range(len(items)), 2) if at in pairs]
    sentences.append("; ".join(_history(item) for item in items))
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences if sentence) + "."


def _pair(items: Sequence[ItemFacts], at: tuple[int, int], facts: PairFacts) -> str:
    names = f"{items[at[0]].name} and {items[at[1]].name}"
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
