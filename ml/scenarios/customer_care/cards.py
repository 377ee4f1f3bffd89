"""The card of each customer: what is known and may be said, in short lines; and what calls for attention now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from ml.demand.lapse import LapseModel, describe, visit_days
from ml.demand.repurchase import RepurchaseModel
from ml.scenarios.customer_care.due import due_products, usual_baskets
from ml.scenarios.customer_care.interests import interests, signs_of
from ml.scenarios.customer_care.sensitive import is_sensitive
from ml.scenarios.rules import Rules

Row = dict[str, Any]

INTERESTS_SHOWN, DUE_SHOWN = 3, 5
NO_VISIT = "no purchases yet: nothing is known of this customer"
NO_BUNDLE = "no bundle that may be suggested"


@dataclass(frozen=True)
class CareFacts:
    """What cards are made of.

    Attributes
    ----------
    as_of
        Day whose evening they are made on.
    products, customers, purchases, baskets, events
        Rows of ``features.ftr_*``.
    bundles, bundle_items
        Rows of ``ml.bundles`` and ``ml.bundle_items`` of the day's personal run.
    listed
        Rows of ``features.ftr_sensitive_categories``.
    lapse, repurchase
        None where the past is too short to learn from.
    """

    as_of: date
    products: pl.DataFrame
    customers: pl.DataFrame
    purchases: pl.DataFrame
    baskets: pl.DataFrame
    events: pl.DataFrame
    bundles: pl.DataFrame
    bundle_items: pl.DataFrame
    listed: pl.DataFrame
    lapse: LapseModel | None
    repurchase: RepurchaseModel | None


@dataclass(frozen=True)
class Cards:
    """All that the cards say, and what alerts are raised from.

    Attributes
    ----------
    cards, due
        Rows of ``ml.customer_cards`` and ``ml.due_repurchases``, without the run.
    risk
        ``customer_id``, ``lapse_risk``, its interval, ``usual_risk``, ``days_since_last``.
    interests
        As :func:`ml.scenarios.customer_care.interests.interests`.
    spoken
        The products that may be spoken of.
    value
        Expected revenue of the bundles suggested, in cents: what a rule's cost is measured by.
    """

    cards: list[Row]
    due: list[Row]
    risk: pl.DataFrame
    interests: pl.DataFrame
    spoken: pl.DataFrame
    value: float


def make_cards(facts: CareFacts, rules: Rules) -> Cards:
    """Return a card for each customer.

    What rules veto, exclude or price above its list price is neither due nor in a suggested bundle; a pinned product,
    or one that must be included, puts the bundle that holds it first. None of them touches what is known of visits.
    """
    spoken = spoken_of(facts.products, facts.listed)
    allowed = allowed_by(rules, spoken)
    due = due_products(usual_baskets(facts.baskets), allowed, facts.repurchase, facts.as_of, DUE_SHOWN)
    liked = interests(signs_of(facts.baskets, facts.events, spoken.filter(~_is_excluded(rules))), facts.as_of)
    risk = risk_of(facts.baskets, facts.as_of, facts.lapse)
    bundles = suggested(facts.bundles, facts.bundle_items, allowed, rules)
    names = dict(facts.products.select("product_id", pl.coalesce("title", "category", "product_id")).iter_rows())
    cards = _cards(facts, due, liked, risk, bundles, names)
    return Cards(cards, due.to_dicts(), risk, liked, spoken, float(bundles["expected_revenue_cents"].sum()))


def spoken_of(products: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Return the products that the list of sensitive categories leaves."""
    return products.filter(~is_sensitive(products, listed))


def allowed_by(rules: Rules, products: pl.DataFrame) -> pl.DataFrame:
    """Return the products that rules allow to be suggested: not excluded, and not cheaper than their floor."""
    floors = rules.floor_cents
    floor = pl.col("product_id").replace_strict(dict(floors), default=None, return_dtype=pl.Int64) if floors else None
    kept = products.filter(~_is_excluded(rules))
    return kept if floor is None else kept.filter(~(pl.col("price_cents") < floor).fill_null(False))


def risk_of(baskets: pl.DataFrame, as_of: date, lapse: LapseModel | None) -> pl.DataFrame:
    """Return the risk of each customer whose visits say something, with its interval; null without a model."""
    described = describe(visit_days(baskets), as_of)
    known = described.select("customer_id", "usual_risk", "days_since_last")
    names = ("lapse_risk", "lapse_risk_low", "lapse_risk_high")
    if lapse is None or described.is_empty():
        return known.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
    return known.with_columns(
        pl.Series(name, values) for name, values in zip(names, lapse.risk(described), strict=True)
    )


def suggested(bundles: pl.DataFrame, items: pl.DataFrame, allowed: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return each customer's first bundle of which all products may be suggested."""
    wanted = [*rules.pinned, *rules.must_include]
    named = items.with_columns(
        is_allowed=pl.col("product_id").is_in(allowed["product_id"].implode()),
        is_wanted=pl.col("product_id").is_in(wanted),
    )
    held = named.sort("bundle_id", "position").group_by("bundle_id", maintain_order=True).agg(
        "product_id", pl.col("is_allowed").all(), pl.col("is_wanted").any()
    )  # fmt: skip
    able = bundles.join(held, on="bundle_id").filter("is_allowed")
    ordered = able.sort("customer_id", "is_wanted", "bundle_rank", descending=[False, True, False])
    first = ordered.unique("customer_id", keep="first", maintain_order=True)
    return first.select("customer_id", "bundle_id", "product_id", "reason", "expected_revenue_cents")


def _is_excluded(rules: Rules) -> pl.Expr:
    return pl.col("product_id").is_in(list(rules.excluded))


def _cards(
    facts: CareFacts,
    due: pl.DataFrame,
    liked: pl.DataFrame,
    risk: pl.DataFrame,
    bundles: pl.DataFrame,
    names: Mapping[str, str],
) -> list[Row]:
    due_of, liked_of = (_by_customer(frame) for frame in (due, liked))
    risk_by, bundle_by = ({row["customer_id"]: row for row in frame.iter_rows(named=True)} for frame in (risk, bundles))
    rows = []
    for customer in facts.customers.sort("customer_id").iter_rows(named=True):
        who = customer["customer_id"]
        risky, bundle = risk_by.get(who), bundle_by.get(who)
        own, soon = liked_of.get(who, [])[:INTERESTS_SHOWN], due_of.get(who, [])
        expected = _next_visit(customer, facts.as_of)
        rows.append(
            {
                "customer_id": who,
                "visits": customer["baskets"],
                "last_visit_on": customer["last_on"],
                "expected_next_visit_on": expected,
                "interests": [row["category"] for row in own],
                "suggested_bundle_id": bundle["bundle_id"] if bundle else None,
                "bundle_reason": bundle["reason"] if bundle else None,
                "lapse_risk": risky["lapse_risk"] if risky else None,
                "lapse_risk_low": risky["lapse_risk_low"] if risky else None,
                "lapse_risk_high": risky["lapse_risk_high"] if risky else None,
                "usual_risk": risky["usual_risk"] if risky else None,
                "talking_points": _points(customer, risky, own, soon, bundle, names),
                "note": _note(customer, risky, bundle),
            }
        )
    return rows


def _by_customer(frame: pl.DataFrame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(row["customer_id"], []).append(row)
    return found


def _next_visit(customer: Row, as_of: date) -> date | None:
    """Return the last visit and one mean gap; tomorrow where that is over."""
    if customer["last_on"] is None or customer["mean_gap_days"] is None:
        return None
    usual: date = customer["last_on"] + timedelta(days=max(round(customer["mean_gap_days"]), 1))
    return max(usual, as_of + timedelta(days=1))


def _points(
    customer: Row, risky: Row | None, liked: list[Row], due: list[Row], bundle: Row | None, names: Mapping[str, str]
) -> list[str]:
    points = []
    if customer["mean_gap_days"] is not None:
        ago = f"last here {customer['days_since_last']} day(s) ago"
        points.append(f"Comes every {customer['mean_gap_days']:.0f} days on average; {ago}.")
    if risky and risky["lapse_risk"] is not None:
        low, high = (f"{100 * risky[f'lapse_risk_{end}']:.0f}" for end in ("low", "high"))
        points.append(
            f"Stays away for the next four weeks with a probability of {100 * risky['lapse_risk']:.0f} % "
            f"({low} to {high} %); the usual rhythm alone would say {100 * risky['usual_risk']:.0f} %."
        )
    for row in liked:
        usual = "" if row["usual"] is None else f", usually {row['usual']:.1f}"
        points.append(f"Turns to {row['category']}: {row['recent']} sign(s) in the last four weeks{usual}.")
    for row in due:
        every = f"bought {row['baskets']} times, every {row['mean_gap_days']:.0f} days"
        likely = f"{100 * row['probability']:.0f} % likely within two weeks"
        points.append(f"{names[row['product_id']]} is due about {row['due_on']}, {likely}: {every}.")
    if bundle:
        points.append(f"Suggest together: {' + '.join(names[product] for product in bundle['product_id'])}.")
    return points


def _note(customer: Row, risky: Row | None, bundle: Row | None) -> str | None:
    if not customer["baskets"]:
        return NO_VISIT
    lacking = []
    if risky is None:
        lacking.append("too few visits to tell the risk of staying away")
    elif risky["lapse_risk"] is None:
        lacking.append("the shop's past is too short to tell the risk of staying away")
    if bundle is None:
        lacking.append(NO_BUNDLE)
    return "; ".join(lacking) or None
