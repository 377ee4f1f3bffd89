"""The launch of new products on a day: which may be launched, their partners, their audience, and what that brings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from ml.scenarios.launch.budget import BudgetParams, Trial, drawn_conversion, shown
from ml.scenarios.launch.interest import Interested
from ml.scenarios.launch.partners import choose_partners, expected_share, name_of, reason_of
from ml.scenarios.rules import EXCLUDE_CATEGORY, PRICE_FLOOR, VETO, Measure, Rules

Row = dict[str, Any]


@dataclass(frozen=True)
class LaunchFacts:
    """What a launch is planned from, whatever the rules.

    Attributes
    ----------
    new
        Rows of ``features.ftr_products`` of the new products, by product.
    products
        Rows of ``features.ftr_products`` of new and evident products.
    pool
        Of :func:`ml.scenarios.launch.partners.with_first_baskets`.
    found
        Customers by interest.
    trials
        What is known of each new product.
    preferences
        ``customer_id``, ``product_id``, ``preference`` of established products.
    purchases
        ``customer_id``, ``category``, ``times``, ``days_since_last``.
    """

    new: pl.DataFrame
    products: pl.DataFrame
    pool: pl.DataFrame
    found: Interested
    trials: Mapping[str, Trial]
    preferences: pl.DataFrame
    purchases: pl.DataFrame


@dataclass(frozen=True)
class LaunchParams:
    """How many partners each new product gets, and what may be spent."""

    partners: int
    budget: BudgetParams


@dataclass(frozen=True)
class Plan:
    """The rows of the result tables, without the run: ``ml.launches``, ``ml.launch_partners``, ``ml.launch_audience``.

    ``value`` is what the measure of a rule's cost says of the plan; None where nothing is known of conversion.
    """

    launches: list[Row]
    partners: list[Row]
    audience: list[Row]
    value: float | None


def plan_launches(facts: LaunchFacts, rules: Rules, params: LaunchParams) -> Plan:
    """Return the launches that the rules allow."""
    prices = facts.products.select("product_id", "price_cents")
    partners = choose_partners(facts.pool, prices, rules, params.partners)
    barred = _barred(facts, partners, rules)
    trials = {
        product: replace(trial, is_pinned=product in rules.pinned)
        for product, trial in facts.trials.items()
        if product not in barred
    }
    partners = partners.filter(pl.col("product_id").is_in(list(trials))).with_columns(
        expected_share=expected_share(pl.col("association"), pl.col("basket_share"))
    )
    audience = _audience(facts, shown(facts.found, trials, params.budget), trials)
    about = {row["product_id"]: row for row in facts.products.iter_rows(named=True)}
    launches = _launches(facts, partners, audience, trials, barred, params.budget)
    return Plan(launches, _partner_rows(partners, about), _audience_rows(facts, audience, partners, about), _value(
        launches, partners, about, measure_of(facts)
    ))  # fmt: skip


def measure_of(facts: LaunchFacts) -> Measure:
    """Return what plans are compared by: expected margin, or revenue where a cost that matters is not known."""
    named = pl.concat([facts.new.select("product_id"), facts.pool.select(product_id="partner_id")]).unique()
    costs = facts.products.join(named, on="product_id", how="semi")["margin_cents"]
    return "expected_revenue_cents" if costs.null_count() else "expected_margin_cents"


def _barred(facts: LaunchFacts, partners: pl.DataFrame, rules: Rules) -> dict[str, str]:
    """Return why some new products are not launched, in words."""
    found: dict[str, str] = {}
    asked = set(rules.must_include)
    served = set(partners.filter(pl.col("partner_id").is_in(list(asked)))["product_id"]) | asked
    for row in facts.new.iter_rows(named=True):
        product, price = row["product_id"], row["price_cents"]
        forbidding = [r for r in rules.obeyed if r.kind in (VETO, EXCLUDE_CATEGORY) and product in r.product_ids]
        floors = [r for r in rules.obeyed if r.kind == PRICE_FLOOR and product in r.product_ids]
        too_high = [r for r in floors if price is not None and price < (r.floor_cents or 0)]
        capacity = facts.trials[product].capacity
        if forbidding:
            found[product] = f"not launched: rule {forbidding[0].rule_id} ({forbidding[0].reason})"
        elif price is None:
            found[product] = "not launched: no price"
        elif too_high:
            floor, rule = (too_high[0].floor_cents or 0) / 100, too_high[0].rule_id
            found[product] = f"not launched: its list price, {price / 100:.2f}, is below {floor:.2f}, see rule {rule}"
        elif capacity is not None and capacity <= 0:
            found[product] = "not launched: no unit in stock beside the reserve"
        elif asked and product not in served:
            found[product] = "not launched: none of the products that rules must include goes with it"
    return found


def _audience(
    facts: LaunchFacts, rows: "np.ndarray[Any, np.dtype[np.int64]]", trials: Mapping[str, Trial]
) -> pl.DataFrame:
    """Return who is shown what: ``product_id``, ``customer_id``, ``audience_rank``, ``interest``, and expectations."""
    found = facts.found
    products, customers = (pl.Series(names, dtype=pl.String) for names in (found.product_ids, found.customer_ids))
    frame = pl.DataFrame(
        {
            "product_id": products.gather(found.product[rows]),
            "customer_id": customers.gather(found.customer[rows]),
            "interest": found.interest[rows],
        }
    )
    known = [(name, one.conversion.mean, one.units) for name, one in trials.items() if one.conversion is not None]
    said = pl.DataFrame(known, {"product_id": pl.String, "mean": pl.Float64, "units": pl.Float64}, orient="row")
    probability = (pl.col("mean") * pl.col("interest")).clip(0.0, 1.0)
    return frame.join(said, on="product_id", how="left", maintain_order="left").with_columns(
        audience_rank=(pl.int_range(pl.len()).over("product_id") + 1).cast(pl.Int32),
        expected_probability=probability,
        expected_units=probability * pl.col("units"),
    )


def _launches(
    facts: LaunchFacts,
    partners: pl.DataFrame,
    audience: pl.DataFrame,
    trials: Mapping[str, Trial],
    barred: Mapping[str, str],
    budget: BudgetParams,
) -> list[Row]:
    number = dict(partners.group_by("product_id").len().iter_rows())
    spent = {
        product: (impressions, units)
        for product, impressions, units in audience.group_by("product_id")
        .agg(pl.len(), pl.col("expected_units").sum())
        .iter_rows()
    }
    rows = []
    for row in facts.new.iter_rows(named=True):
        product = row["product_id"]
        impressions, units = spent.get(product, (0, 0.0))
        conversion = facts.trials[product].conversion
        low, high = conversion.interval if conversion else (None, None)
        is_known = conversion is not None and product in trials
        price, margin = row["price_cents"], row["margin_cents"]
        rows.append(
            {
                "product_id": product,
                "launched_on": row["launched_on"] or row["first_sold_on"],
                "is_launched": product in trials,
                "partners": number.get(product, 0),
                "impressions": impressions,
                "budget_impressions": budget.impressions,
                "is_pinned": product in trials and trials[product].is_pinned,
                "past_launches": conversion.launches if conversion else 0,
                "conversion": conversion.mean if conversion else None,
                "conversion_low": low,
                "conversion_high": high,
                "drawn_conversion": drawn_conversion(product, facts.trials[product], budget.seed) if is_known else None,
                "list_price_cents": price,
                "available_units": row["available_units"],
                "expected_units": units if is_known else None,
                "expected_revenue_cents": units * price if is_known else None,
                "expected_margin_cents": units * margin if is_known and margin is not None else None,
                "reason": barred.get(product) or _told(number.get(product, 0), impressions, facts.trials[product]),
                "is_exploration": True,
            }
        )
    return rows


def _told(partners: int, impressions: int, trial: Trial) -> str:
    conversion = trial.conversion
    if conversion is None:
        past = "no launch of the past says how many will buy"
    else:
        past = f"{100 * conversion.mean:.2f} % of customers are expected to buy it, as in past launches" + (
            f", {conversion.launches} of its category" if conversion.launches else " of the whole shop"
        )
        if trial.demand_ratio != 1:
            past += f"; demand for its category is {trial.demand_ratio:.2f} times the usual by the market's signals"
    where = (
        f"shown to {impressions} customer(s)" if impressions else "shown to nobody, as other new products promise more"
    )
    beside = f"beside {partners} partner(s)" if partners else "without a partner: nothing is known to go with it"
    return f"{where}, {beside}; {past}"


def _partner_rows(partners: pl.DataFrame, about: Mapping[str, Row]) -> list[Row]:
    return [
        {
            **{name: row[name] for name in _PARTNER},
            "reason": reason_of(about[row["product_id"]], about[row["partner_id"]], row),
        }
        for row in partners.iter_rows(named=True)
    ]


_PARTNER = (
    "product_id", "partner_rank", "partner_id", "association", "association_low", "association_high", "evidence",
    "pair_baskets", "basket_share", "expected_share",
)  # fmt: skip


def _audience_rows(
    facts: LaunchFacts, audience: pl.DataFrame, partners: pl.DataFrame, about: Mapping[str, Row]
) -> list[Row]:
    """Return the rows with a reason: what the customer bought of the category, and the partner they likely buy next."""
    likely = (
        audience.select("product_id", "customer_id")
        .join(partners.select("product_id", "partner_id"), on="product_id")
        .join(facts.preferences, left_on=["customer_id", "partner_id"], right_on=["customer_id", "product_id"])
        .sort("preference", "partner_id", descending=[True, False])
        .unique(["product_id", "customer_id"], keep="first", maintain_order=True)
    )
    told = (
        audience.join(facts.new.select("product_id", "category"), on="product_id", maintain_order="left")
        .join(facts.purchases, on=["customer_id", "category"], how="left", maintain_order="left")
        .join(likely, on=["product_id", "customer_id"], how="left", maintain_order="left")
    )
    return [
        {
            "product_id": row["product_id"],
            "customer_id": row["customer_id"],
            "audience_rank": row["audience_rank"],
            "interest": row["interest"],
            "expected_probability": row["expected_probability"],
            "reason": _why(row, about),
            "is_exploration": True,
        }
        for row in told.iter_rows(named=True)
    ]


def _why(row: Row, about: Mapping[str, Row]) -> str:
    parts = []
    if row["times"]:
        parts.append(f"bought from {row['category']} {row['times']} time(s), last {row['days_since_last']} day(s) ago")
    if row["partner_id"]:
        parts.append(f"likely to buy its partner {name_of(about[row['partner_id']])} next (P {row['preference']:.2f})")
    parts.append(f"interest {row['interest']:.1f} times the average customer's")
    return parts[0][0].upper() + "; ".join(parts)[1:]


def _value(launches: list[Row], partners: pl.DataFrame, about: Mapping[str, Row], measure: Measure) -> float | None:
    """Return what the audience is expected to bring: the new products, and the partners bought with them."""
    if all(row["conversion"] is None for row in launches):
        return None
    column = "margin_cents" if measure == "expected_margin_cents" else "price_cents"
    worth: dict[str, float] = {}
    for product, partner, share in partners.select("product_id", "partner_id", "expected_share").iter_rows():
        worth[product] = worth.get(product, 0.0) + share * (about[partner][column] or 0)
    return float(
        sum(
            row["expected_units"] * ((about[row["product_id"]][column] or 0) + worth.get(row["product_id"], 0.0))
            for row in launches
            if row["expected_units"] is not None
        )
    )
