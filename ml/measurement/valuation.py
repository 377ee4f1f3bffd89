"""What policies over the shop's own bundles would earn, told from the log of what was shown."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.evaluation.off_policy import ESTIMATORS, Floats, Log, OffPolicyParams, Valuation, value_of
from ml.measurement.readout import NO_FEEDBACK, Row
from ml.params import RunParams

UNIFORM, BEST_RANKED = "uniform", "best_ranked"
OTHER = "(no bundle of the shop)"
"""All bundles in the log that are none of the shop's own: personal ones have a key for each customer and day."""
REWARDS = ("click", "add")
"""Not purchases: feedback on them is the shop's own reading of which bundle an order is due to."""
NO_PROPENSITY = "not available: needs bundle_feedback.propensity, the probability with which each bundle was shown"
NOBODY = "no impression after the day of the ranks was shown to a customer for whom the policy has a bundle"
NO_RANKS = "no personal run of an earlier day is kept whose ranks have not read what came of the impressions"
NO_BUNDLES = "not available: needs given_bundles, the bundles that a policy can choose from"


@dataclass(frozen=True)
class Ranked:
    """What a personal run makes of each of the shop's bundles for each customer, and what it knew by then.

    Attributes
    ----------
    rows
        Of ``ml.given_bundle_ranks``.
    ranked_on
        The run's as-of date; None where there is no run.
    """

    rows: pl.DataFrame
    ranked_on: date | None


@dataclass(frozen=True)
class Question:
    """A target policy and the impressions it is valued on.

    Attributes
    ----------
    impressions
        ``customer_id``, ``bundle_id``, ``propensity``, a column for each reward.
    customers, bundles
        Places in the tables below.
    target, features
        (customers, bundles) probabilities, and (customers, bundles, f) what the model of rewards reads.
    """

    name: str
    impressions: pl.DataFrame
    customers: list[str]
    bundles: list[str]
    target: Floats
    features: Floats

    def log(self, reward: str) -> Log:
        """Return the impressions with one of the rewards."""
        at, of = (pl.Series(names, dtype=pl.String) for names in (self.customers, self.bundles))
        places = self.impressions.select(
            at=pl.col("customer_id").replace_strict(at, pl.int_range(len(at), eager=True)),
            of=pl.col("bundle_id").replace_strict(of, pl.int_range(len(of), eager=True)),
        )
        return Log(
            places["at"].to_numpy(), places["of"].to_numpy(),
            self.impressions["propensity"].to_numpy(), self.impressions[reward].to_numpy(),
        )  # fmt: skip


def impressions_of(feedback: pl.DataFrame, last: date, days: int) -> pl.DataFrame:
    """Return the impressions of the days up to ``last``, with what came of each.

    Feedback does not name its impression, so what a customer did with a bundle on a day is shared out among the
    impressions of that bundle on that day, at most one for each.

    Returns
    -------
    ``customer_id``, ``bundle_id``, ``occurred_on``, ``policy``, ``propensity`` and a column for each reward, 0 to 1.
    """
    key = ["customer_id", "bundle_id", "occurred_on"]
    told = feedback.filter(pl.col("occurred_on") > last - timedelta(days=days), pl.col("occurred_on") <= last)
    shown = told.filter(pl.col("kind") == "impression").sort("feedback_id")
    for reward in REWARDS:
        came = told.filter(pl.col("kind") == reward).group_by(key).len(reward)
        shown = shown.join(came, on=key, how="left", maintain_order="left")
    share = [(pl.col(reward).fill_null(0) / pl.len().over(key)).clip(0, 1).alias(reward) for reward in REWARDS]
    return shown.with_columns(share).select(*key, "policy", "propensity", *REWARDS)


def question_of(name: str, impressions: pl.DataFrame, given: list[str], ranked: Ranked) -> Question:
    """Return a target policy over the shop's bundles, for the impressions that it can be valued on.

    Ranks that had read what came of an impression would praise themselves, so ``best_ranked`` is valued on impressions
    after the day of its ranks alone, and on customers whom it has a bundle for.

    Parameters
    ----------
    name
        ``uniform``, or ``best_ranked`` by the ranks.
    given
        Keys of the shop's bundles.
    """
    if name == BEST_RANKED:
        best = ranked.rows.filter(pl.col("bundle_rank") == 1, pl.col("given_bundle_id").is_in(given))
        is_later = pl.lit(False) if ranked.ranked_on is None else pl.col("occurred_on") > ranked.ranked_on
        impressions = impressions.filter(is_later)
        impressions = impressions.join(best.select("customer_id"), on="customer_id", how="semi", maintain_order="left")
    is_given = pl.col("bundle_id").is_in(given)
    impressions = impressions.with_columns(bundle_id=pl.when(is_given).then("bundle_id").otherwise(pl.lit(OTHER)))
    customers = impressions["customer_id"].unique().sort().to_list()
    bundles = [*sorted(given), OTHER]
    target = np.zeros((len(customers), len(bundles)))
    if name == UNIFORM:
        target[:, : len(given)] = 1 / len(given)
        return Question(name, impressions, customers, bundles, target, np.zeros((*target.shape, 0)))
    features = np.zeros((*target.shape, 1))
    column = {bundle: place for place, bundle in enumerate(bundles)}
    row = {customer: place for place, customer in enumerate(customers)}
    known = ranked.rows.filter(pl.col("customer_id").is_in(customers), pl.col("given_bundle_id").is_in(given))
    at = np.array([row[customer] for customer in known["customer_id"]], np.int64)
    of = np.array([column[bundle] for bundle in known["given_bundle_id"]], np.int64)
    features[at, of, 0] = known["joint_probability"].fill_null(0).to_numpy()
    is_best = (known["bundle_rank"] == 1).fill_null(False).to_numpy()
    target[at[is_best], of[is_best]] = 1
    return Question(name, impressions, customers, bundles, target, features)


def valued_rows(
    feedback: pl.DataFrame, given: list[str], ranked: Ranked, as_of: date, params: RunParams
) -> tuple[list[Row], str | None]:
    """Return the rows of ``ml.off_policy_values``; or none, and what the shop's data lack."""
    shown = impressions_of(feedback, as_of, params.feedback_days)
    if shown.is_empty():
        return [], NO_FEEDBACK
    known = shown.drop_nulls("propensity")
    if known.is_empty():
        return [], NO_PROPENSITY
    if not given:
        return [], NO_BUNDLES
    guard = OffPolicyParams(least_effective_rows=params.min_effective_impressions)
    rows: list[Row] = []
    for name in (UNIFORM, BEST_RANKED):
        question = question_of(name, known, given, ranked)
        about: Row = {
            "target": name,
            "logged_policies": shown["policy"].drop_nulls().unique().sort().to_list(),
            "log_from": shown["occurred_on"].min(),
            "log_to": shown["occurred_on"].max(),
            "left_out_impressions": shown.height - question.impressions.height,
        }
        for reward in REWARDS:
            found = value_of(question.log(reward), question.target, question.features, guard, params.seed)
            observed = float(question.impressions[reward].sum()) / max(1, question.impressions.height)
            nobody = NO_RANKS if ranked.ranked_on is None else NOBODY
            reason = found.overlap.reason if question.customers else nobody
            rows += _rows(about | {"reward": reward, "observed": observed, "refusal_reason": reason}, found)
    return rows, None


def _rows(about: Row, found: Valuation) -> list[Row]:
    seen = found.overlap
    facts: Row = {
        "impressions": seen.rows,
        "customers": seen.customers,
        "effective_impressions": seen.effective_rows,
        "mean_weight": seen.mean_weight,
        "max_weight": seen.max_weight,
        "max_weight_share": seen.max_weight_share,
        "unseen_share": seen.unseen_share,
    }
    rows = []
    for name in ESTIMATORS:
        told = found.values.get(name)
        numbers = {"value": told.value, "low": told.low, "high": told.high} if told else {}
        rows.append({**about, **facts, "estimator": name, **numbers})
    return rows
