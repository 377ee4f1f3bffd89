"""How promotions are judged on weeks held out: what discounts sold, and who of the invited bought.

What a promotion would have added nobody sees in data: for that the benchmark plays the simulated shop's customers with
and without it. Here stand the two things it is made of, beside the rules that a shop uses today.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import polars as pl

from ml.demand.discounted import DISCOUNTED
from ml.demand.price_response import elasticities, units_ratio
from ml.demand.side_effects import side_effects
from ml.evaluation.bundle_metrics import ratio_interval
from ml.params import RunParams
from ml.preference.baselines import PersonalDecayed
from ml.scenarios.cross_category.choice import with_values
from ml.scenarios.cross_category.invitations import invitations
from ml.scenarios.cross_category.responses import Facts, coming_units, complements, responses
from ml.scenarios.ground import Ground
from ml.scenarios.judged import Judged, paired
from ml.tables import PROMOTIONS

LEAST_WEEKLY_UNITS = 5.0
"""Usual units of a product that is judged: a discounted week without sales shows no price, so that of thin products
only the good weeks would be seen."""
UPLIFT, FREQUENT = "one uplift for all", "most frequent customers"


@dataclass(frozen=True)
class Past:
    """The data of a shop, whatever they come from, cut where what is judged begins.

    Attributes
    ----------
    baskets, products, product_days, associations, market_signals
        As of the last day.
    through, last
        Last day that may be known, and last day of the data.
    """

    baskets: pl.DataFrame
    products: pl.DataFrame
    product_days: pl.DataFrame
    associations: pl.DataFrame
    market_signals: pl.DataFrame
    through: date
    last: date

    @property
    def days(self) -> str:
        """Return the held-out days in words."""
        return f"{self.through + timedelta(days=1)} to {self.last}"

    @cached_property
    def facts(self) -> Facts | None:
        """Return what a promotion could be planned from at the cut; None where there were no discounts to learn from.

        Associations and the prices of the list are those of the last day, as one build of the features holds no others.
        """
        known = self.product_days.filter(pl.col("sold_on") <= self.through)
        found = elasticities(known, self.products, self.through)
        along = complements(self.associations, self.products, known, self.baskets.height)
        effects = side_effects(known, self.products, along, self.through)
        if found.is_empty() or effects is None:
            return None
        none = PROMOTIONS.frame([])
        return Facts(
            self.through, self.products, known, self.associations, found, effects, none, self.baskets.height,
            self.market_signals,
        )  # fmt: skip


def evaluate(ground: Ground) -> list[Judged]:
    """Return how well the response to discounts and the audience did in the held-out days of the shop's data."""
    params, last = ground.context.params, ground.context.as_of
    through = last - timedelta(days=ground.settings.preference.holdout_days)
    past = Past(
        ground.baskets, ground.products, ground.product_days, ground.associations, ground.market_signals, through, last
    )
    draws = ground.settings.optimizer.bootstrap_draws
    return [*judged_response(past, draws, params.seed), *judged_audience(past, params, draws)]


def judged_response(past: Past, draws: int, seed: int) -> Iterator[Judged]:
    """Yield the error of the units expected in discounted weeks, beside one mean uplift, and their calibration.

    The mean uplift is that of the discounted weeks among those that tell the usual units. Products are the cases.
    """
    facts = past.facts
    if facts is None:
        return
    deal = facts.effects.deal
    known = facts.elasticities.select("product_id", "elasticity").join(coming_units(facts), on="product_id")
    known = known.with_columns(usual=7 * pl.col("daily_units")).filter(pl.col("usual") >= LEAST_WEEKLY_UNITS)
    before = discounted_weeks(past.product_days, past.through - timedelta(days=55), past.through).join(
        known, on="product_id"
    )
    after = discounted_weeks(past.product_days, past.through + timedelta(days=1), past.last).join(
        known, on="product_id"
    )
    if before.is_empty() or after.is_empty():
        return
    sold, usual = (before[name].to_numpy().astype(float).sum() for name in ("units", "usual"))
    uplift = sold / usual
    ratio = units_ratio(after["elasticity"].to_numpy(), deal.felt(after["paid_share"].to_numpy()))
    weeks = after.with_columns(expected=pl.col("usual") * pl.Series(ratio), uplifted=pl.col("usual") * uplift)
    by_product = weeks.group_by("product_id").agg(
        ours=(pl.col("expected") - pl.col("units")).abs().mean(),
        peer=(pl.col("uplifted") - pl.col("units")).abs().mean(),
        expected=pl.col("expected").sum(),
        units=pl.col("units").sum(),
    )
    by_product = by_product.sort("product_id")
    ours, peer, expected, units = (by_product[name].to_numpy().astype(float) for name in by_product.columns[1:])
    yield paired("discounted_units_error", ours, UPLIFT, peer, "units a week", past.days, draws=draws, seed=seed)
    calibrated = ratio_interval(expected, units, draws, seed)
    if calibrated is not None:
        value, low, high = calibrated
        unit = "expected over sold"
        yield Judged("discounted_units_ratio", value, unit, len(units), past.days, low=low, high=high)


def judged_audience(past: Past, params: RunParams, draws: int) -> Iterator[Judged]:
    """Yield how many of those our rule invites buy what was cheaper in the days after the cut, and how many expected.

    The products are those the shop itself gave most discount on in these days, at the prices it took; P is the decayed
    personal frequency of the day before, which needs no training, so that the rule is judged and not the ranker. The
    peer invites as many customers, those with the most baskets before the cut.
    """
    days_known = min(params.promotion_days, (past.last - past.through).days)
    params = replace(params, promotion_days=days_known)  # a longer promotion would be judged on days without data
    first, last = past.through + timedelta(days=1), past.through + timedelta(days=days_known)
    promoted = _promoted(past, params, first, last)
    known = past.baskets.filter(pl.col("customer_id").is_not_null(), pl.col("basket_on") <= past.through)
    if promoted.is_empty() or known.is_empty():
        return
    customers = _customers(known, past.through)
    asked = customers.select("customer_id", cut=pl.lit(first)).join(promoted.select("product_id"), how="cross")
    preference = PersonalDecayed().fit(known, past.products, asked).score(known, past.products, asked)
    candidates = asked.with_columns(preference=pl.Series(preference))
    invited = invitations(candidates, promoted, customers, params).sort("invitation_rank")
    if invited.is_empty():
        return
    frequent = customers.sort("baskets", "customer_id", descending=[True, False]).head(invited.height)
    bought = (
        past.baskets.filter(pl.col("basket_on").is_between(first, last))
        .select("customer_id", product_id="product_ids")
        .explode("product_id")
        .unique()
    )
    buyers = bought.join(promoted, on="product_id", how="semi")["customer_id"].unique().implode()
    days = f"{first} to {last}"
    ours, peer = (
        frame.select(pl.col("customer_id").is_in(buyers)).to_series().to_numpy().astype(float)
        for frame in (invited, frequent)
    )
    yield paired(
        "invited_who_buy", ours, FREQUENT, peer, "share of the invited", days, draws=draws, seed=params.seed
    )  # fmt: skip
    named = invited.select("customer_id", "probability", product_id="product_ids").explode("product_id")
    came = named.join(bought, on=["customer_id", "product_id"], how="semi")["customer_id"].unique().implode()
    hits = invited.select(pl.col("customer_id").is_in(came)).to_series().to_numpy().astype(float)
    calibrated = ratio_interval(invited["probability"].to_numpy(), hits, draws, params.seed)
    if calibrated is not None:
        value, low, high = calibrated
        yield Judged("reach_ratio", value, "expected over came", invited.height, days, low=low, high=high)


def discounted_weeks(product_days: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """Return ``product_id``, ``week``, ``units`` and ``paid_share`` of the weeks from ``first`` on that had a discount.

    Weeks are of seven days and end on or before ``last``.
    """
    week = (pl.col("sold_on") - pl.lit(first)).dt.total_days() // 7
    weeks = ((last - first).days + 1) // 7
    summed = (
        product_days.with_columns(week=week)
        .filter(pl.col("week").is_between(0, weeks - 1))
        .group_by("product_id", "week")
        .agg(pl.col("units", "revenue_cents", "discount_cents").sum())
    )
    gross = pl.col("revenue_cents") + pl.col("discount_cents")
    return (
        summed.filter(gross > 0)
        .with_columns(paid_share=(pl.col("revenue_cents") / gross).clip(lower_bound=0.05))
        .filter(pl.col("paid_share") <= DISCOUNTED)
        .select("product_id", "week", "units", "paid_share")
        .sort("product_id", "week")
    )


def _promoted(past: Past, params: RunParams, first: date, last: date) -> pl.DataFrame:
    """Return the products with most discount in the days, at the prices paid, and the answer that was expected.

    Costs and side effects are 0: the shop promoted them whatever they cost, and customers are then told apart by the
    revenue that the discount adds.
    """
    facts = past.facts
    known = pl.DataFrame() if facts is None else responses(facts, replace(params, assumed_cost_share=0.0))
    if known.is_empty():
        return known
    known = known.with_columns(
        pl.lit(0.0).alias(name) for name in ("cost", "taken_cents", "pulled_cents", "halo_cents")
    )
    within = past.product_days.filter(pl.col("sold_on").is_between(first, last))
    summed = within.group_by("product_id").agg(pl.col("revenue_cents", "discount_cents").sum())
    paid = pl.col("revenue_cents") / (pl.col("revenue_cents") + pl.col("discount_cents"))
    cheaper = summed.filter(pl.col("discount_cents") > 0, paid <= DISCOUNTED).with_columns(paid_share=paid)
    rows = (
        known.join(cheaper.select("product_id", "discount_cents", "paid_share"), on="product_id")
        .sort("discount_cents", "product_id", descending=[True, False])
        .head(params.promotion_products)
        .with_columns(promoted_price_cents=(pl.col("price_cents") * pl.col("paid_share")).round().cast(pl.Int32))
    )
    return rows if facts is None or rows.is_empty() else with_values(rows, facts.effects.deal)


def _customers(known: pl.DataFrame, through: date) -> pl.DataFrame:
    """Return the columns of ``features.ftr_customers`` that invitations read, as of a day."""
    days = known.group_by("customer_id").agg(
        baskets=pl.len(), first_on=pl.col("basket_on").min(), last_on=pl.col("basket_on").max()
    )
    span = (pl.col("last_on") - pl.col("first_on")).dt.total_days()
    gap = pl.when(pl.col("baskets") > 1).then(span / (pl.col("baskets") - 1))
    return days.select(
        "customer_id",
        "baskets",
        mean_gap_days=gap,
        days_since_last=(pl.lit(through) - pl.col("last_on")).dt.total_days(),
    ).sort("customer_id")
