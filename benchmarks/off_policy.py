"""How well a log tells what another policy would earn: on the simulated shop, where the true value is known.

Each seed draws a sample of customers of a shop, their visits, the bundle that a logging policy shows in each, and
whether it is clicked, with the probabilities by which the simulated shop's customers click for a bundle's own sake; the
target policy shows the bundle that a noisy reading of tastes puts first, and its true value per impression is known.
``coverage`` is the share of answers whose 95 % interval holds the true value, ``width`` the mean width of the interval
and ``bias`` the mean error, both as share of the true value; ``observed`` is what a shop would read off its log without
any correction. Refused is refused: ``weak/coverage_unguarded`` shows what the intervals would be worth otherwise.

Logs: ``uniform`` (as the simulated shop's own), ``leaning`` (prefers some bundles, shows all), ``weak`` (shows its
favourites nearly always), ``unseen`` (never shows half of the bundles).

Run as ``python -m benchmarks.off_policy [--quick] --json FILE``; ``--quick`` takes 40 seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from benchmarks.report import Row, arguments, write_report
from ml.evaluation.off_policy import ESTIMATORS, Floats, Log, OffPolicyParams, Valuation, estimates, overlap, value_of
from ml.sources.simulated_shop import Size
from ml.sources.simulated_shop.browsing import BROWSE_RATE, click_chances
from ml.sources.simulated_shop.catalogue import own_bundles
from ml.sources.simulated_shop.world import draw_truth

SEEDS, QUICK_SEEDS, SHOPS = 200, 40, 20
POPULATION, SAMPLE, DAYS = 4000, 1000, 60
GOOD, WEAK = ("uniform", "leaning"), ("weak", "unseen")
PARAMS = OffPolicyParams()


@dataclass(frozen=True)
class Population:
    """A shop's customers: chance of a click by bundle, a noisy reading of it, and visits a day."""

    chances: Floats
    reading: Floats
    visits: Floats

    @property
    def target(self) -> Floats:
        """Return the policy in question: always the bundle with the best reading, (customers, bundles)."""
        return np.eye(self.chances.shape[1])[self.reading.argmax(axis=1)]

    @property
    def true_value(self) -> float:
        """Return what the target policy earns per visit of this population."""
        return float(self.visits @ (self.target * self.chances).sum(axis=1) / self.visits.sum())

    def logging(self, name: str) -> Floats:
        """Return the logging policy, (customers, bundles)."""
        bundles = self.chances.shape[1]
        favour = np.linspace(0, 1, bundles)
        if name == "unseen":
            return np.broadcast_to((favour >= 0.5) / (favour >= 0.5).sum(), self.chances.shape)
        # What a customer likes counts against showing it in the weak log: it lacks just what the target policy shows.
        against = self.reading / self.reading.max()
        score = {"uniform": 0.0 * against, "leaning": favour + 0.0 * against, "weak": 12.0 * (favour - against)}[name]
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


@cache
def population(shop: int) -> Population:
    """Return the customers of a shop."""
    truth = draw_truth(Size(POPULATION, 120, 60), shop)
    chances = click_chances(truth, own_bundles(truth))
    rng = np.random.default_rng([shop, 50])
    visits = truth.web_share * (truth.trip_rate + BROWSE_RATE)
    return Population(chances, np.sqrt(chances) * rng.lognormal(0, 0.3, chances.shape), visits)


def draw(people: Population, logging: str, seed: int) -> tuple[Log, Floats, Floats]:
    """Return a log of a sample of customers, and of that sample the target policy and what the reward model reads."""
    rng = np.random.default_rng([seed, 51])
    chosen = rng.integers(0, len(people.visits), SAMPLE)
    customer = np.repeat(np.arange(SAMPLE), rng.poisson(DAYS * people.visits[chosen]))
    shows = people.logging(logging)[chosen]
    action = (shows.cumsum(axis=1)[customer] < rng.random((customer.size, 1))).sum(axis=1)
    action = action.clip(max=shows.shape[1] - 1)
    clicked = rng.random(customer.size) < people.chances[chosen[customer], action]
    log = Log(customer, action, shows[customer, action], clicked.astype(np.float64))
    return log, people.target[chosen], people.reading[chosen][:, :, None]


@dataclass(frozen=True)
class Answer:
    """One log: the true value, what was answered, and what would have been without the guard."""

    truth: float
    observed: float
    found: Valuation
    unguarded: Valuation


def answers(logging: str, seeds: Sequence[int]) -> list[Answer]:
    """Return an answer for each seed."""
    given = []
    for seed in seeds:
        people = population(seed % SHOPS)
        log, target, features = draw(people, logging, seed)
        found = value_of(log, target, features, PARAMS)
        values = found.values or estimates(log, target, features, PARAMS)
        unguarded = Valuation(overlap(log, target, PARAMS), values)
        given.append(Answer(people.true_value, float(log.reward.mean()), found, unguarded))
    return given


def coverage(given: Sequence[Answer], estimator: str) -> list[bool]:
    """Return of each answer, refused or not, whether its interval holds the true value."""
    intervals = [(one.unguarded.values[estimator], one.truth) for one in given]
    return [interval.low <= truth <= interval.high for interval, truth in intervals]


def main() -> None:
    """Draw, value and report."""
    options = arguments(__doc__)
    seeds = range(QUICK_SEEDS if options.quick else SEEDS)
    rows = []
    for logging in (*GOOD, *WEAK):
        given = answers(logging, seeds)
        refused = [bool(one.found.overlap.reason) for one in given]
        rows.append(_share(f"off_policy/refused/{logging}", refused, None))
        if logging in WEAK:
            rows += [
                _share(f"off_policy/{name}/{logging}/coverage_unguarded", coverage(given, name), "the same, refused")
                for name in ESTIMATORS
            ]
            continue
        answered = [one for one in given if one.found.values]
        for name in ESTIMATORS:
            rows += _rows(f"off_policy/{name}", logging, name, answered)
        rows.append(_mean(f"off_policy/observed/{logging}/bias", [one.observed / one.truth - 1 for one in answered]))
    write_report("off_policy", f"simulated shop, {len(seeds)} seeds, {SAMPLE} customers each", rows, options.json)


def _rows(path: str, logging: str, name: str, given: Sequence[Answer]) -> list[Row]:
    """Return coverage, width and bias of an estimator; the uniform log is the plain case and has the short name."""
    at = path if logging == "uniform" else f"{path}/{logging}"
    found = [(one.found.values[name], one.truth) for one in given]
    peer = None if name == ESTIMATORS[0] else ESTIMATORS[0]
    widths = [(interval.high - interval.low) / truth for interval, truth in found]
    beside = [(one.found.values[ESTIMATORS[0]].high - one.found.values[ESTIMATORS[0]].low) / one.truth for one in given]
    width = float(np.mean(widths))
    return [
        _share(f"{at}/coverage", coverage(given, name), None),
        Row(
            f"{at}/width",
            width,
            "share of the value",
            peer=peer,
            ratio=width / float(np.mean(beside)) if peer else None,
        ),
        _mean(f"{at}/bias", [interval.value / truth - 1 for interval, truth in found]),
    ]


def _share(name: str, hits: Sequence[bool], peer: str | None) -> Row:
    low, high = proportion_confint(sum(hits), len(hits), method="wilson")
    return Row(name, sum(hits) / len(hits), "share of seeds", float(low), float(high), peer)


def _mean(name: str, values: Sequence[float]) -> Row:
    mean, wide = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Row(name, mean, "share of the value", mean - wide, mean + wide)


if __name__ == "__main__":
    main()
