"""Promotions across categories: what they really add in simulated shops, and what held-out weeks of a real one say.

In the simulated shop the same customers are played with and without each promotion, on the same random numbers, and
the shop's whole margin is compared over the promotion's week and the four after it. Peer: as many bestsellers of the
same categories, all at the one largest discount whose cost on usual units keeps the same budget; and the same at the
smallest discount there is. Twice: at the shop's own costs, and at 40 % of them, where promotions have more to win. A
plan that abstains adds 0; its peers then promote the bestsellers of all categories.

What the market's signals are worth there: the margin of the plan less that of the plan without them, and by how much
less the units of a week are missed by the usual units, on products that had no discount in it.

On Complete Journey (28 days after 2017-12-03) discounts were chosen by the shop, so only what they sold and who bought
can be judged, see :mod:`ml.scenarios.cross_category.evaluation`.

Run as ``python -m benchmarks.scenario_cross_category [--quick] --json FILE``; ``--quick`` takes two small shops and no
real one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.counterfactual import PromotedMarket, continued, lived
from benchmarks.data import LAST_TRAINING_DAY
from benchmarks.promotion_data import SimulatedWorld, complete_journey_past, simulated_world
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import bootstrap_mean
from ml.params import RunParams
from ml.scenarios.cross_category.choice import STEP, Chosen
from ml.scenarios.cross_category.evaluation import judged_audience, judged_response
from ml.scenarios.cross_category.plan import promotion
from ml.scenarios.cross_category.responses import coming_units, hindrances, responses
from ml.scenarios.judged import Judged
from ml.scenarios.rules import Rules
from ml.sources.simulated_shop import FIRST_AS_OF, Size
from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.shopping import Shoppers

SHOP = Size(400, 60, 240)
SEEDS, QUICK_SEEDS = tuple(range(11, 21)), (1, 2)
"""The first ten shops chose how the response to a discount is reckoned; they are not among those measured."""
COURSES, QUICK_COURSES = 4, 2
"""Courses of chance that each promotion is played in."""
COSTS = {"usual_costs": 1.0, "low_costs": 0.4}
ASKED = RunParams(scenario="cross_category", promotion_products=5, promotion_budget_cents=50_000)
ASSUMED = RunParams(scenario="cross_category", assumed_cost_share=0.6)
AFTER_DAYS, HELD_OUT_DAYS = 28, 28
CUTS = (7, 35, 63)
"""Days before the as-of date, after which a week tells how far the usual units were off."""
DRAWS = 1000
UNITS = {"added": "currency in 5 weeks", "at_once": "currency in its week"}
Reals = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    write_report("scenario_cross_category", "simulated shops; Complete Journey", rows(options.quick), options.json)


def rows(is_quick: bool) -> list[Row]:
    """Return the measured rows, ``scenarios/cross_category/<what>``."""
    found = list(_simulated(QUICK_SEEDS if is_quick else SEEDS, QUICK_COURSES if is_quick else COURSES))
    if not is_quick:
        past = complete_journey_past(LAST_TRAINING_DAY, LAST_TRAINING_DAY + timedelta(days=HELD_OUT_DAYS))
        judged = [*judged_response(past, DRAWS, ASSUMED.seed), *judged_audience(past, ASSUMED, DRAWS)]
        found += [row for one in judged for row in _of(one)]
    return found


@dataclass(frozen=True)
class Played:
    """What one promotion did in a shop, in cents, mean over courses.

    Attributes
    ----------
    added
        Margin over its days and the weeks after.
    at_once
        Of it in its own days.
    given
        Discounts.
    """

    added: float
    at_once: float
    given: float


NOT_PLAYED = Played(0.0, 0.0, 0.0)


def _simulated(seeds: tuple[int, ...], courses: int) -> Iterator[Row]:
    worlds = [simulated_world(SHOP, seed, ASKED.promotion_days) for seed in seeds]
    for name, share in COSTS.items():
        ours, theirs, small, untold, expected = [], [], [], [], []
        for world in (one.with_costs(share) for one in worlds):
            market = Market(world.truth)
            shoppers = lived(world.truth, market, FIRST_AS_OF)
            known = responses(world.facts, ASKED)
            chosen = promotion(world.facts, known, Rules(), ASKED)
            own = dict(chosen.rows.select("product_id", "discount_share").iter_rows())
            ours.append(_played(world, market, shoppers, own, courses))
            deaf = _planned_without_signals(world)
            untold.append(ours[-1] if deaf == own else _played(world, market, shoppers, deaf, courses))
            best = bestsellers(world, known, chosen)
            theirs.append(_played(world, market, shoppers, best, courses))
            small.append(_played(world, market, shoppers, dict.fromkeys(best, STEP), courses))
            expected.append(chosen.objective)
        yield from _compared(f"scenarios/cross_category/{name}", ours, theirs, np.array(expected))
        yield _gain(f"scenarios/cross_category/{name}", "added", ours, small, f"bestsellers at {100 * STEP:.0f} %")
        yield _gain(f"scenarios/cross_category/{name}/signals", "added", ours, untold, "plan without signals")
    told, without = np.array([_usual_units_errors(world) for world in worlds]).T
    gain = bootstrap_mean(without - told, DRAWS)
    path, ratio = "scenarios/cross_category/signals_usual_units_error_gain", float(told.mean() / without.mean())
    yield Row(path, gain.value, "units a product and week", gain.low, gain.high, "usual units without signals", ratio)


def _planned_without_signals(world: SimulatedWorld) -> dict[str, float]:
    facts = replace(world.facts, market_signals=world.facts.market_signals.clear())
    chosen = promotion(facts, responses(facts, ASKED), Rules(), ASKED)
    return dict(chosen.rows.select("product_id", "discount_share").iter_rows())


def _usual_units_errors(world: SimulatedWorld) -> tuple[float, float]:
    """Return the mean absolute error of the units of a week after each cut, told the signals until it and not."""
    errors = []
    for cut in (FIRST_AS_OF - timedelta(days=back) for back in CUTS):
        is_known = pl.col("sold_on") <= cut
        facts = replace(world.facts, as_of=cut, product_days=world.facts.product_days.filter(is_known))
        after = world.facts.product_days.filter(~is_known, pl.col("sold_on") <= cut + timedelta(days=7))
        came = after.group_by("product_id").agg(pl.col("units", "discount_cents").sum())
        weeks = coming_units(facts).join(came, on="product_id", how="left").with_columns(
            pl.col("units", "discount_cents").fill_null(0)
        )  # fmt: skip
        told = 7 * pl.col("daily_units")
        errors.append(
            weeks.filter(pl.col("discount_cents") == 0).select(
                told=(told - pl.col("units")).abs(), without=(told / pl.col("signal_ratio") - pl.col("units")).abs()
            )
        )
    told_error, without = pl.concat(errors).mean().row(0)
    return told_error, without


def _compared(name: str, ours: list[Played], theirs: list[Played], expected: Reals) -> Iterator[Row]:
    """Yield the rows of one kind of shop; shops are what is drawn anew for the intervals."""
    for part in ("added", "at_once"):
        own, other = (np.array([getattr(one, part) for one in played]) / 100 for played in (ours, theirs))
        mean = bootstrap_mean(own, DRAWS)
        peer = f"bestsellers {other.mean():.1f}"
        yield Row(f"{name}/margin_{part}", mean.value, UNITS[part], mean.low, mean.high, peer)
        yield _gain(name, part, ours, theirs, "bestsellers")
    given = [sum(one.given for one in played) / 100 / len(played) for played in (ours, theirs)]
    yield Row(f"{name}/discounts_given", given[0], "currency", peer=f"bestsellers {given[1]:.1f}")
    yield Row(f"{name}/margin_expected", float(expected.mean()) / 100, "currency in 5 weeks")
    yield Row(f"{name}/abstained", float((expected == 0).mean()), f"share of {len(expected)} shops")


def _gain(name: str, part: str, ours: list[Played], theirs: list[Played], peer: str) -> Row:
    own, other = (np.array([getattr(one, part) for one in played]) / 100 for played in (ours, theirs))
    gain = bootstrap_mean(own - other, DRAWS)
    over = "_over_small_discount" if peer.endswith("%") else ""
    return Row(f"{name}/margin_{part}_gain{over}", gain.value, UNITS[part], gain.low, gain.high, peer)


def bestsellers(world: SimulatedWorld, known: pl.DataFrame, chosen: Chosen) -> dict[str, float]:
    """Return the discount by product of the peer, one for all; empty where none fits the budget."""
    busy = list(hindrances(world.facts, known, Rules(), ASKED))
    able = known.filter(~pl.col("product_id").is_in(busy))
    if chosen.rows.height:
        able = able.filter(pl.col("group").is_in(chosen.rows["group"].unique().implode()))
    best = able.sort("base_units", "product_id", descending=[True, False])
    best = best.head(chosen.rows.height or ASKED.promotion_products)
    whole = float((best["base_units"] * best["price_cents"]).sum())
    steps = int(min(ASKED.max_discount_share, ASKED.promotion_budget_cents / whole) / STEP + 1e-9)
    return dict.fromkeys(best["product_id"], steps * STEP) if steps else {}


def _played(world: SimulatedWorld, market: Market, shoppers: Shoppers, off: dict[str, float], courses: int) -> Played:
    if not off:
        return NOT_PLAYED
    share = np.array([off.get(product, 0.0) for product in world.truth.product_ids])
    first = FIRST_AS_OF + timedelta(days=1)
    promoted = PromotedMarket(world.truth, share, first, first + timedelta(days=ASKED.promotion_days - 1))
    days, within = ASKED.promotion_days + AFTER_DAYS, slice(ASKED.promotion_days)
    found = []
    for salt in range(courses):
        there = continued(shoppers, promoted, first, days, salt, share > 0)
        usual = continued(shoppers, market, first, days, salt, share > 0)
        more = there.margin_cents - usual.margin_cents
        found.append((more.sum(), more[within].sum(), there.discount_cents[within].sum()))
    return Played(*np.mean(found, axis=0).tolist())


def _of(one: Judged) -> Iterator[Row]:
    name = f"scenarios/cross_category/complete_journey/{one.kpi}"
    peer = None if one.peer_value is None else f"{one.peer} {one.peer_value:.4g}"
    ratio = one.value / one.peer_value if one.peer_value else None
    yield Row(name, one.value, f"{one.unit}, {one.cases} cases", one.low, one.high, peer, ratio)
    if one.difference is not None:
        yield Row(f"{name}_gain", one.difference, one.unit, one.difference_low, one.difference_high, one.peer)


if __name__ == "__main__":
    main()
