"""Are the groups that were made those that people made? Groups may overlap and need not cover everything."""

from collections.abc import Sequence


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of the products in either group that lie in both."""
    return len(left & right) / max(len(left | right), 1)


def best_match(made: Sequence[frozenset[str]], wanted: Sequence[frozenset[str]]) -> tuple[float, float, float]:
    """Return recall, precision and F1 of groups by their best match.

    Recall is the mean over wanted groups of the Jaccard index with the most alike group made, precision the mean over
    groups made of the same with those wanted, F1 their harmonic mean. Making every possible group buys recall with
    precision.

    Parameters
    ----------
    made, wanted
        Groups of products; without any of either all three are 0.
    """
    if not made or not wanted:
        return 0.0, 0.0, 0.0
    recall = sum(max(jaccard(one, other) for other in made) for one in wanted) / len(wanted)
    precision = sum(max(jaccard(one, other) for other in wanted) for one in made) / len(made)
    both = recall + precision
    return recall, precision, 2 * recall * precision / both if both else 0.0
