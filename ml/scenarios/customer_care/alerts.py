"""What calls for attention today: a customer about to stay away, a sudden interest, a favourite that is sold out.

All kinds compete for one daily cap by one measure: cents at stake in the next four weeks. For a customer about to stay
away that is the risk times what they spent in four weeks lately, so that who is long gone comes last; for an interest,
what it has grown by at the category's mean price; for a favourite, what is usually bought of it.
"""

from datetime import date, timedelta

import polars as pl

from ml.demand.lapse import WINDOW_DAYS
from ml.demand.repurchase import LEAST_BASKETS
from ml.scenarios.customer_care.cards import Cards, CareFacts, Row, allowed_by
from ml.scenarios.rules import Rules

LAPSE, SPIKE, SOLD_OUT = "lapse_risk", "interest_spike", "favourite_sold_out"
LEAST_RISK = 0.1
"""Of staying away. On earlier months of Complete Journey a higher one finds more who stay away, but less money."""
SPENDING_WEEKS = 12
FAVOURITES = 5
"""Most bought products of a customer that count as favourites."""
FACTS = ["customer_id", "kind", "product_id", "category", "at_stake_cents", "detail"]


def raise_alerts(facts: CareFacts, cards: Cards, rules: Rules, cap: int) -> list[Row]:
    """Return the rows of ``ml.care_alerts``, without the run, in order of priority.

    Those beyond ``cap`` stay, with ``is_within_cap`` false, so that what is passed over can be counted.
    """
    found = pl.concat([lapses(facts, cards), spikes(cards, rules), sold_out(facts, cards, rules)])
    order = ["at_stake_cents", "customer_id", "kind", "subject"]
    subject = pl.coalesce("product_id", "category", pl.lit(""))
    ranked = found.with_columns(subject=subject).sort(order, descending=[True, False, False, False], nulls_last=True)
    place = (pl.int_range(pl.len()) + 1).cast(pl.Int32)
    return ranked.with_columns(priority=place, is_within_cap=place <= cap).to_dicts()


def recent_spending(baskets: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``customer_id``, ``spending_cents``: of four weeks, as in the last twelve."""
    first = as_of - timedelta(weeks=SPENDING_WEEKS)
    lately = baskets.filter(pl.col("basket_on") > first, pl.col("basket_on") <= as_of).drop_nulls("customer_id")
    paid = pl.col("paid_cents").list.sum().sum() * WINDOW_DAYS / (7 * SPENDING_WEEKS)
    return lately.group_by("customer_id").agg(spending_cents=paid)


def is_alarming() -> pl.Expr:
    """Return whether a risk lies above what the customer's rhythm alone says with its whole interval."""
    return (pl.col("lapse_risk") >= LEAST_RISK) & (pl.col("lapse_risk_low") > pl.col("usual_risk"))


def lapses(facts: CareFacts, cards: Cards) -> pl.DataFrame:
    """Return the customers who bought in the last twelve weeks and whose risk is alarming."""
    risky = cards.risk.filter(is_alarming())
    detail = pl.format(
        "stays away for four weeks with probability {} ({} to {}), by the rhythm alone {}; last here {} day(s) ago",
        *(pl.col(name).round(2) for name in ("lapse_risk", "lapse_risk_low", "lapse_risk_high", "usual_risk")),
        pl.col("days_since_last") - 1,
    )
    stake = pl.col("spending_cents") * pl.col("lapse_risk")
    spending = recent_spending(facts.baskets, facts.as_of)
    return _told(risky.join(spending, on="customer_id"), LAPSE, None, None, stake, detail)


def spikes(cards: Cards, rules: Rules) -> pl.DataFrame:
    """Return the categories that customers turn to far more than usual."""
    prices = (
        allowed_by(rules, cards.spoken).drop_nulls("category").group_by("category").agg(pl.col("price_cents").mean())
    )
    risen = cards.interests.filter("is_spike").join(prices, on="category")
    stake = pl.col("price_cents") * (pl.col("recent") - pl.col("usual"))
    detail = pl.format("{} sign(s) in the last four weeks, usually {}", "recent", pl.col("usual").round(1))
    return _told(risen, SPIKE, None, "category", stake, detail)


def sold_out(facts: CareFacts, cards: Cards, rules: Rules) -> pl.DataFrame:
    """Return the favourites without a unit in stock; none where the shop does not count its stock."""
    empty = allowed_by(rules, cards.spoken).filter(pl.col("available_units") == 0)
    named = empty.select("product_id", "category", "price_cents")
    order = ["customer_id", "baskets", "product_id"]
    ranked = facts.purchases.filter(pl.col("baskets") >= LEAST_BASKETS, pl.col("mean_gap_days") > 0).sort(
        order, descending=[False, True, False]
    )
    favourites = ranked.filter(pl.int_range(pl.len()).over("customer_id") < FAVOURITES)
    stake = pl.col("price_cents") * WINDOW_DAYS / pl.col("mean_gap_days").clip(lower_bound=1.0)
    detail = pl.format(
        "sold out; bought {} times, every {} days", "baskets", pl.col("mean_gap_days").round(0).cast(int)
    )
    return _told(favourites.join(named, on="product_id"), SOLD_OUT, "product_id", "category", stake, detail)


def _told(
    frame: pl.DataFrame, kind: str, product: str | None, category: str | None, stake: pl.Expr, detail: pl.Expr
) -> pl.DataFrame:
    nothing = pl.lit(None, pl.String)
    return frame.select(
        pl.col("customer_id"),
        pl.lit(kind).alias("kind"),
        (pl.col(product) if product else nothing).alias("product_id"),
        (pl.col(category) if category else nothing).alias("category"),
        stake.cast(pl.Float64).alias("at_stake_cents"),
        detail.alias("detail"),
    ).select(FACTS)
