"""Cards judged on the four weeks after they would have been written: who stayed away, and what was bought again.

The peers are what a shop uses today: *recency*, no visit for thirty days; *own rhythm*, no visit for twice the mean
gap; and for what is due, the products that the customer bought most often. Rules are turned into probabilities by what
came of those they flagged in the same past windows that the model learned from, to be compared at their best; and
where money counts their flags are ordered by the same recent spending.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ml.demand.lapse import WINDOW_DAYS, WINDOWS, describe, fit_lapse, stayed_away, visit_days
from ml.demand.repurchase import HORIZON_DAYS, describe_products, fit_repurchase
from ml.scenarios.customer_care.alerts import is_alarming, recent_spending
from ml.scenarios.customer_care.cards import DUE_SHOWN, spoken_of
from ml.scenarios.customer_care.due import due_products, usual_baskets
from ml.scenarios.ground import Ground
from ml.scenarios.judged import Judged, paired

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]
Compare = Callable[..., Judged]

RECENCY, RHYTHM, FREQUENT = "no_visit_for_30_days", "no_visit_for_2_mean_gaps", "most_frequent_products"
OURS = "alerts"
LONG_DAYS, LONG_GAPS = 30, 2.0
GONE_DAYS = 90
"""Who has not come for so long is no discovery, whoever flags them: left out where money does not order the flags."""


@dataclass(frozen=True)
class LapseCases:
    """What was said of each customer on the evening of a day, and what came.

    Attributes
    ----------
    risk, recency, rhythm
        (customers,) probabilities of the model, and of the two rules.
    recency_score, rhythm_score
        (customers,) what the rules order customers by: whether or not, and gaps since the last visit.
    stayed
        (customers,) 1 where nobody came.
    spending
        (customers,) cents of four weeks, as in the last twelve.
    flagged, foremost
        By who flags, (customers,) whether an alert reaches the staff: ordered by money, and by risk alone or by how
        long nobody came.
    """

    risk: Reals
    recency: Reals
    rhythm: Reals
    recency_score: Reals
    rhythm_score: Reals
    stayed: Reals
    spending: Reals
    flagged: dict[str, Flags]
    foremost: dict[str, Flags]


def evaluate(ground: Ground) -> list[Judged]:
    """Return how cards of four weeks ago would have done; nothing where the past is too short to write any."""
    context, settings = ground.context, ground.settings
    spoken = spoken_of(ground.products, ground.sensitive)
    compare = partial(paired, draws=settings.optimizer.bootstrap_draws, seed=context.params.seed)
    origin = context.as_of - timedelta(days=WINDOW_DAYS)
    return judge(ground.baskets, spoken, origin, context.params.alerts_per_day, compare)


def judge(baskets: pl.DataFrame, spoken: pl.DataFrame, origin: date, cap: int, compare: Compare) -> list[Judged]:
    """Return the numbers of cards written on the evening of ``origin``.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``, those after ``origin`` too: they answer.
    spoken
        ``product_id`` of what may be spoken of.
    cap
        Alerts that reach the staff.
    compare
        :func:`ml.scenarios.judged.paired` with its draws and seed.
    """
    days = f"{origin + timedelta(days=1)} to {origin + timedelta(days=WINDOW_DAYS)}"
    compare = partial(compare, judged_on=days)
    cases = lapse_cases(baskets, origin, cap)
    return [*([] if cases is None else _of_lapse(cases, compare)), *_of_due(baskets, spoken, origin, compare)]


def lapse_cases(baskets: pl.DataFrame, origin: date, cap: int) -> LapseCases | None:
    """Return what the model and the rules say on the evening of a day; None where there is no model."""
    visits = visit_days(baskets)
    model = fit_lapse(visits, origin)
    described = describe(visits, origin)
    if model is None or described.is_empty():
        return None
    stayed = stayed_away(visits, described, origin)
    if not 0 < stayed.sum() < len(stayed):
        return None
    risk, low, _ = model.risk(described)
    away = described["days_since_last"].to_numpy()
    gaps = away / described["mean_gap_days"].to_numpy()
    days = [origin - timedelta(days=WINDOW_DAYS * back) for back in range(1, WINDOWS + 1)]
    past = [describe(visits, day) for day in days]
    answers = np.concatenate([stayed_away(visits, one, day) for one, day in zip(past, days, strict=True)])
    earlier = pl.concat(past)
    was_long = earlier["days_since_last"].to_numpy() > LONG_DAYS
    long = away > LONG_DAYS
    recency = np.where(long, _share(answers[was_long]), _share(answers[~was_long]))
    scale = LogisticRegression().fit(np.log1p(_gaps(earlier))[:, None], answers)
    money = recent_spending(baskets, origin)
    people = described.select("customer_id").join(money, on="customer_id", how="left", maintain_order="left")
    spending = people["spending_cents"].fill_null(0.0).to_numpy()
    told = described.with_columns(lapse_risk=pl.Series(risk), lapse_risk_low=pl.Series(low))
    alarming = told.select(is_alarming()).to_series().to_numpy()
    flagged = {OURS: alarming * risk * spending, RECENCY: long * spending, RHYTHM: (gaps > LONG_GAPS) * spending}
    near = away <= GONE_DAYS
    foremost = {OURS: near * risk, RECENCY: near * long * away, RHYTHM: near * (gaps > LONG_GAPS) * gaps}
    return LapseCases(
        risk, recency, scale.predict_proba(np.log1p(gaps)[:, None])[:, 1], long.astype(float), gaps, stayed, spending,
        *({name: _first(worth, cap) for name, worth in one.items()} for one in (flagged, foremost)),
    )  # fmt: skip


def _of_lapse(cases: LapseCases, compare: Compare) -> list[Judged]:
    rules = {RECENCY: (cases.recency, cases.recency_score), RHYTHM: (cases.rhythm, cases.rhythm_score)}
    found = []
    for name, (probability, score) in rules.items():
        errors = [(one - cases.stayed) ** 2 for one in (cases.risk, probability)]
        found.append(compare("lapse_brier", errors[0], name, errors[1], "squared error", variant=name))
        found.append(_auc(cases, name, score, compare))
        money = [cases.stayed * cases.spending / 100 * len(cases.stayed) * cases.flagged[one] for one in (OURS, name)]
        found.append(compare("lapse_spending_caught", money[0], name, money[1], "currency", variant=name))
        for kpi, flags in (("alert_precision", cases.flagged), ("riskiest_precision", cases.foremost)):
            if flags[OURS].any() and flags[name].any():
                hits = [_as_mean(cases.stayed, flags[one]) for one in (OURS, name)]
                found.append(compare(f"lapse_{kpi}_at_cap", hits[0], name, hits[1], "share", variant=name))
    return found


def _as_mean(stayed: Reals, flagged: Flags) -> Reals:
    """Return the share of the flagged who stayed away as a mean over all customers, so that all are resampled."""
    shares: Reals = flagged * stayed * len(stayed) / flagged.sum()
    return shares


def _auc(cases: LapseCases, name: str, score: Reals, compare: Compare) -> Judged:
    """Return the area under the curve beside a rule's, as a mean over the customers who stayed away.

    Of each, the share of those who came that is ranked below it; ties count half.
    """
    is_away = cases.stayed == 1
    ours, theirs = (_ranked_above(one[is_away], one[~is_away]) for one in (cases.risk, score))
    judged = compare("lapse_auc", ours, name, theirs, "area", variant=name)
    assert abs(judged.value - roc_auc_score(cases.stayed, cases.risk)) < 1e-9  # noqa: S101 - the same by definition
    return judged


def _of_due(baskets: pl.DataFrame, spoken: pl.DataFrame, origin: date, compare: Compare) -> list[Judged]:
    """Return how much of what was due came within two weeks, beside as many of each customer's frequent products."""
    table = due_cases(baskets, spoken, origin)
    if table.is_empty():
        return []
    ours, theirs = table["due"].to_numpy(), table["frequent"].to_numpy()
    return [compare("due_precision", ours, FREQUENT, theirs, "share of products")]


def due_cases(baskets: pl.DataFrame, spoken: pl.DataFrame, origin: date) -> pl.DataFrame:
    """Return ``customer_id``, ``due`` and ``frequent``: shares bought within two weeks after the day."""
    before = usual_baskets(baskets).filter(pl.col("basket_on") <= origin)
    due = due_products(before, spoken, fit_repurchase(before, origin), origin, DUE_SHOWN)
    due = due.select("customer_id", "product_id")
    bought = describe_products(before, origin).join(spoken.select("product_id"), on="product_id", how="semi")
    asked = due.group_by("customer_id").len("asked")
    order = ["customer_id", "baskets", "last_on", "product_id"]
    often = bought.join(asked, on="customer_id").sort(order, descending=[False, True, True, False])
    often = often.filter(pl.int_range(pl.len()).over("customer_id") < pl.col("asked"))
    until = origin + timedelta(days=HORIZON_DAYS)
    after = baskets.filter(pl.col("basket_on") > origin, pl.col("basket_on") <= until).drop_nulls("customer_id")
    came = after.select("customer_id", product_id="product_ids").explode("product_id").unique()
    shares = [_hits(frame, came, name) for frame, name in ((due, "due"), (often, "frequent"))]
    return shares[0].join(shares[1], on="customer_id").sort("customer_id")


def _hits(frame: pl.DataFrame, came: pl.DataFrame, name: str) -> pl.DataFrame:
    told = frame.select("customer_id", "product_id").join(
        came.with_columns(hit=1.0), on=["customer_id", "product_id"], how="left"
    )
    return told.group_by("customer_id").agg(pl.col("hit").fill_null(0.0).mean().alias(name))


def _first(worth: Reals, cap: int) -> Flags:
    """Return whether each is among the ``cap`` of highest worth, and above 0."""
    flagged = np.zeros(len(worth), np.bool_)
    flagged[np.argsort(-worth, kind="stable")[:cap]] = True
    return flagged & (worth > 0)


def _ranked_above(high: Reals, low: Reals) -> Reals:
    ordered = np.sort(low)
    below, upto = (np.searchsorted(ordered, high, side=side) for side in ("left", "right"))  # type: ignore[call-overload]
    shares: Reals = (below + upto) / (2 * len(low))
    return shares


def _gaps(described: pl.DataFrame) -> Reals:
    gaps: Reals = described["days_since_last"].to_numpy() / described["mean_gap_days"].to_numpy()
    return gaps


def _share(answers: Reals) -> float:
    return float(answers.mean()) if len(answers) else 0.0
