"""How well complements and substitutes are told apart: planted pairs of the simulated shop, and examples.

The simulated shop knows the truth: products of one need are substitutes, those whose needs meet in a mission are
complements. Shown are the share of each kind that is found among the pairs that were looked at, and how many verdicts
are wrong; once with the categories, which name the needs there, and once without any. Of Complete Journey (household
days to 2017-12-03) the strongest pairs are printed with what the products are.

Run as ``python -m benchmarks.substitutes [--quick] --json FILE``; ``--quick`` takes two small shops and a quarter of
the households.
"""

import time
from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.stats import binomtest

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from benchmarks.simulated import simulated_shop
from ml.association.substitutes import COMPLEMENT, SUBSTITUTE, Relations, tell_apart
from ml.sources.simulated_shop import Size, Truth

SMALL, LARGE = Size(400, 60, 150), Size(1000, 100, 200)
SEEDS = (3, 4, 5)
SHOWN = 20


def main() -> None:
    """Judge on planted pairs, then show real ones."""
    options = arguments(__doc__)
    rows = list(_planted(SMALL, SEEDS[:2] if options.quick else SEEDS, "small"))
    if not options.quick:
        rows += _planted(LARGE, SEEDS, "large")
    baskets, products = complete_journey()
    baskets = baskets.filter(pl.col("basket_on") <= LAST_TRAINING_DAY)
    if options.quick:
        baskets = baskets.filter(pl.col("customer_id").hash(SEEDS[0]) % 4 == 0)
    started = time.process_time()
    found = tell_apart(baskets, products)
    rows.append(Row("substitutes/complete_journey/cpu_seconds", time.process_time() - started, "s"))
    rows += [Row(f"substitutes/complete_journey/{name}", value, "pairs") for name, value in found.numbers().items()]
    examples = {relation: _strongest(found, products, relation) for relation in ("substitute", "complement")}
    rows += [row for relation, shown in examples.items() for row in _named(relation, shown)]
    write_report("substitutes", f"simulated shops; Complete Journey to {LAST_TRAINING_DAY}", rows, options.json)
    for relation, shown in examples.items():
        print(f"\n### {relation}s: the {SHOWN} strongest\n\n{_table(shown)}")


def _planted(size: Size, seeds: tuple[int, ...], name: str) -> Iterator[Row]:
    """Yield what was found in shops of one size, all seeds together, with and without categories."""
    shops = [simulated_shop(size, seed) for seed in seeds]
    for kind in ("categories", "no_categories"):
        table = np.zeros((3, 3), np.int64)  # truth (unrelated, complement, substitute) by verdict
        for baskets, products, truth in shops:
            known = products if kind == "categories" else products.with_columns(category=pl.lit(None, pl.String))
            found = tell_apart(baskets, known)
            np.add.at(table, (_truth(found, truth), found.relation), 1)
        for code, word in ((SUBSTITUTE, "substitutes"), (COMPLEMENT, "complements")):
            yield _share(f"substitutes/{name}/{kind}/{word}_found", table[code, code], table[code].sum())
            verdicts = table[:, code].sum()
            yield _share(f"substitutes/{name}/{kind}/{word}_false", verdicts - table[code, code], verdicts)


def _truth(found: Relations, truth: Truth) -> np.ndarray:
    code = {product: position for position, product in enumerate(truth.product_ids)}
    codes = np.array([code[product] for product in found.product_ids])
    first, second = codes[found.first], codes[found.second]
    is_one_need = truth.substitutes[first, second]
    return np.where(is_one_need, SUBSTITUTE, np.where(truth.complements[first, second], COMPLEMENT, 0))


def _share(name: str, part: int, whole: int) -> Row:
    """Return a share with Wilson's interval; pairs of one shop are not independent, so it is the narrowest there is."""
    if not whole:
        return Row(name, 0.0, "share of none")
    interval = binomtest(int(part), int(whole)).proportion_ci(method="wilson")
    return Row(name, part / whole, f"share of {whole}", interval.low, interval.high)


def _strongest(found: Relations, products: pl.DataFrame, relation: str) -> pl.DataFrame:
    """Return the strongest verdicts of a kind: substitutes by the statistic, complements by the joint purchases."""
    strength = pl.col("statistic") if relation == "substitute" else -pl.col("joint")
    named = products.select("product_id", what=pl.format("{} (brand {})", "title", "brand"))
    return (
        found.frame()
        .with_columns(strength=strength)
        .filter(pl.col("relation") == relation)
        .sort(strength, descending=True)
        .head(SHOWN)
        .join(named.rename({"what": "one"}), left_on="product_a", right_on="product_id", maintain_order="left")
        .join(named.rename({"what": "other"}), left_on="product_b", right_on="product_id", maintain_order="left")
    )


def _named(relation: str, shown: pl.DataFrame) -> Iterator[Row]:
    """Yield a row an example: its place and what the two products are, and by how many z it is one."""
    for place, (one, other, strength) in enumerate(shown.select("one", "other", "strength").iter_rows(), 1):
        yield Row(f"substitutes/complete_journey/{relation}_{place:02d}/{one} and {other}", strength, "z")


def _table(shown: pl.DataFrame) -> str:
    lines = [
        "| one | other | together | expected | lonely z | price z | partners |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    columns = ("one", "other", "together", "expected", "lonely", "price", "partners")
    for one, other, together, expected, *scores in shown.select(columns).iter_rows():
        numbers = " | ".join(f"{score:.2f}" for score in scores)
        lines.append(f"| {one} | {other} | {together} | {expected:.1f} | {numbers} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
