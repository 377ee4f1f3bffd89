"""What each product would answer to a discount: its usual units, its elasticity, what it brings and takes beside it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.demand.deal import Deal
from ml.demand.price_response import units_ratio
from ml.demand.side_effects import SideEffects, rival_margin
from ml.demand.signal_response import RECENT_DAYS, demand_shift
from ml.params import RunParams
from ml.scenarios.rules import Rules

COMPLEMENT, COUNTED = "complement", "counted"
ASSUMED_COST = "cost assumed"


@dataclass(frozen=True)
class Facts:
    """What a promotion is planned from.

    Attributes
    ----------
    as_of
        Last day of the data.
    products, product_days, associations
        Rows of ``features.ftr_products``, ``features.ftr_product_days`` and ``ml.associations``.
    elasticities
        Of :func:`ml.demand.price_response.elasticities`.
    effects
        Of :func:`ml.demand.side_effects.side_effects`.
    promotions
        Rows of ``features.ftr_promotions``: those announced or under way.
    baskets
        How many baskets the counts of products are from.
    market_signals
        Rows of ``features.ftr_market_signals``; without rows where the shop has none.
    """

    as_of: date
    products: pl.DataFrame
    product_days: pl.DataFrame
    associations: pl.DataFrame
    elasticities: pl.DataFrame
    effects: SideEffects
    promotions: pl.DataFrame
    baskets: int
    market_signals: pl.DataFrame


def period(as_of: date, params: RunParams) -> tuple[date, date]:
    """Return first and last day of the promotion."""
    first = as_of + timedelta(days=params.promotion_starts_in_days)
    return first, first + timedelta(days=params.promotion_days - 1)


def priced(products: pl.DataFrame, params: RunParams) -> pl.DataFrame:
    """Return the products that may be offered and have a price, with ``cost`` (null: unknown) and ``is_cost_assumed``.

    Costs are in cents, with fractions where they are assumed.
    """
    share = pl.lit(params.assumed_cost_share, pl.Float64)
    return (
        products.filter("is_bundleable", pl.col("price_cents") > 0)
        .with_columns(
            cost=pl.coalesce(pl.col("cost_cents").cast(pl.Float64), pl.col("price_cents") * share),
            is_cost_assumed=pl.col("cost_cents").is_null() & share.is_not_null(),
        )
        .sort("product_id")
    )


def usual_units(product_days: pl.DataFrame, elasticities: pl.DataFrame, as_of: date, deal: Deal) -> pl.DataFrame:
    """Return ``product_id`` and ``daily_units``, what the product sells a day at its list price.

    Recent units over the sum of what each week's price made of usual ones: the maximum likelihood estimate when units
    are Poisson and the response to prices is known. A week without sales counts as one at the list price.
    """
    age = (pl.lit(as_of) - pl.col("sold_on")).dt.total_days()
    recent = product_days.filter(age >= 0, age < RECENT_DAYS).group_by("product_id", week=age // 7)
    weeks = recent.agg(pl.col("units", "revenue_cents", "discount_cents").sum()).sort("product_id", "week")
    known = weeks.join(elasticities.select("product_id", "elasticity"), on="product_id")
    gross = (known["revenue_cents"] + known["discount_cents"]).to_numpy()
    paid = np.divide(known["revenue_cents"].to_numpy(), gross, out=np.ones(len(gross)), where=gross > 0).clip(0.05, 1.0)
    ratio = units_ratio(known["elasticity"].to_numpy(), deal.felt(paid))
    first = product_days.group_by("product_id").agg(first_on=pl.col("sold_on").min())
    days = pl.min_horizontal((pl.lit(as_of) - pl.col("first_on")).dt.total_days() + 1, pl.lit(RECENT_DAYS))
    more = 7 * (pl.col("ratio") - pl.col("sold_weeks"))
    return (
        known.with_columns(ratio=pl.Series(ratio))
        .group_by("product_id")
        .agg(units=pl.col("units").sum(), ratio=pl.col("ratio").sum(), sold_weeks=pl.len())
        .join(first, on="product_id")
        .select("product_id", daily_units=pl.col("units") / (days + more))
        .sort("product_id")
    )


def coming_units(facts: Facts) -> pl.DataFrame:
    """Return :func:`usual_units` times ``signal_ratio``, what the market's signals say of the days to come, and it."""
    daily = usual_units(facts.product_days, facts.elasticities, facts.as_of, facts.effects.deal)
    shift = demand_shift(facts.market_signals, facts.product_days, facts.products, facts.as_of)
    both = daily.join(shift, on="product_id", how="left", maintain_order="left")
    both = both.with_columns(pl.col("signal_ratio").fill_null(1.0))
    return both.with_columns(daily_units=pl.col("daily_units") * pl.col("signal_ratio"))


def complements(
    associations: pl.DataFrame, products: pl.DataFrame, product_days: pl.DataFrame, baskets: int
) -> pl.DataFrame:
    """Return ``product_id``, ``complement_id``, ``added_units``: what association promises of products elsewhere.

    An extra basket with the product holds the complement with probability s_j A_ij instead of s_j, where s are shares
    of baskets; the joint probability is capped at that of the rarer of the two. Complements of the same category are
    left out, as are pairs that were not counted.
    """
    units = product_days.group_by("product_id").agg(sold=pl.col("units").sum())
    facts = products.filter(pl.col("baskets") > 0).join(units, on="product_id")
    facts = facts.select(
        "product_id",
        "category",
        share=pl.col("baskets") / max(baskets, 1),
        per_basket=pl.col("sold") / pl.col("baskets"),
    )
    counted = associations.filter(pl.col("relation") == COMPLEMENT, pl.col("evidence") == COUNTED)
    both = pl.concat(
        [
            counted.select("association", product_id=one, complement_id=other)
            for one, other in (("product_a", "product_b"), ("product_b", "product_a"))
        ]
    )
    other = facts.rename({name: f"other_{name}" for name in ("category", "share", "per_basket")})
    found = both.join(facts, on="product_id").join(other, left_on="complement_id", right_on="product_id")
    likeliest = pl.min_horizontal(pl.lit(1.0), pl.col("other_share") / pl.col("share"))
    held = pl.min_horizontal(pl.col("other_share") * pl.col("association"), likeliest)
    return (
        found.filter(~pl.col("category").eq_missing(pl.col("other_category")))
        .with_columns(added_units=(held - pl.col("other_share")) * pl.col("other_per_basket") / pl.col("per_basket"))
        .filter(pl.col("added_units") > 0)
        .select("product_id", "complement_id", "added_units")
        .sort("product_id", "complement_id")
    )


def responses(facts: Facts, params: RunParams) -> pl.DataFrame:
    """Return a row for each product that has a price, a cost, sales and an elasticity, by product.

    Returns
    -------
    pl.DataFrame
        ``product_id``, ``name``, ``category``, ``group`` (category, or the product where it has none),
        ``department``, ``category_path``, ``price_cents``, ``cost``, ``is_cost_assumed``, ``available_units``,
        ``units_per_basket``, ``base_units`` (of the period at the list price), ``signal_ratio`` (by which the market's
        signals moved it), ``elasticity``, ``low``, ``high``, ``level``, and in cents an extra unit: ``taken_cents``
        (margin of like products it replaces), ``pulled_cents`` (of later sales it replaces), ``halo_cents`` (of
        complements that come along).
    """
    daily = coming_units(facts)
    units = facts.product_days.group_by("product_id").agg(sold=pl.col("units").sum())
    known = (
        priced(facts.products, params)
        .drop_nulls("cost")
        .join(daily, on="product_id")
        .join(units, on="product_id")
        .join(facts.elasticities.select("product_id", "elasticity", "low", "high", "level"), on="product_id")
    )
    margin = pl.col("price_cents") - pl.col("cost")
    weighed, whole = (margin * pl.col("daily_units")).sum(), pl.col("daily_units").sum()
    rest = rival_margin(margin, pl.col("daily_units")).over("category")
    alike = pl.col("category").is_not_null()
    halo = _halo_cents(facts, known.select("product_id", margin=margin))
    taken, pulled, halo_share = facts.effects.believed()
    return (
        known.join(halo, on="product_id", how="left")
        .with_columns(
            name=pl.coalesce("title", "category", "product_id"),
            group=pl.coalesce("category", "product_id"),
            base_units=pl.col("daily_units") * params.promotion_days,
            units_per_basket=pl.col("sold") / pl.max_horizontal(pl.col("baskets"), pl.lit(1)),
            taken_cents=pl.when(alike).then(taken * rest).otherwise(0.0),
            pulled_cents=pulled
            * pl.when(alike).then(weighed.over("category") / whole.over("category")).otherwise(margin),
            halo_cents=halo_share * pl.col("halo_cents").fill_null(0.0),
        )
        .sort("product_id")
    )


def hindrances(facts: Facts, known: pl.DataFrame, rules: Rules, params: RunParams) -> dict[str, str]:
    """Return why products of :func:`responses` may not be promoted, in words; those that may are not in it."""
    first, last = period(facts.as_of, params)
    clashing = facts.promotions.filter(pl.col("starts_on") <= last, pl.col("ends_on") >= first)
    busy, banned, named = set(clashing["product_id"]), set(rules.excluded), set(params.promotion_categories)
    found = {}
    columns = ("product_id", "category", "department", "category_path")
    for product, *levels in known.select(columns).iter_rows():
        if product in banned:
            found[product] = "a rule forbids it"
        elif product in busy:
            found[product] = "it is in another promotion in these days"
        elif named and not named & set(levels):
            found[product] = "its category is not asked for"
    return found


def _halo_cents(facts: Facts, margins: pl.DataFrame) -> pl.DataFrame:
    """Return by product the margin of complements per extra unit, in cents, were association all."""
    along = complements(facts.associations, facts.products, facts.product_days, facts.baskets)
    worth = along.join(margins, left_on="complement_id", right_on="product_id")
    return worth.group_by("product_id").agg(halo_cents=(pl.col("added_units") * pl.col("margin")).sum())
