"""Plan a promotion: products with discounts, what it is expected to bring and in which range, and the invitations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ml.params import RunParams
from ml.scenarios.cross_category.choice import Chosen, choose, options, values
from ml.scenarios.cross_category.invitations import invitations
from ml.scenarios.cross_category.responses import ASSUMED_COST, Facts, hindrances, period, responses
from ml.scenarios.rules import MUST_INCLUDE, PIN, Row, Rule, Rules, rule_costs
from ml.tables import PROMOTION_INVITATIONS, PROMOTION_PRODUCTS

DRAWS = 2000
WIDTH = 2 * 1.96
"""Of a 95 % interval, in standard deviations."""
OWN_LEVEL = "product"
WANTING = (PIN, MUST_INCLUDE)
"""Rules that want a product in the promotion."""
PRODUCTS, INVITED = PROMOTION_PRODUCTS.name, PROMOTION_INVITATIONS.name


@dataclass(frozen=True)
class Planned:
    """What the stage writes, as rows without the run.

    Attributes
    ----------
    products, invitations
        Rows of ``ml.promotion_products`` and ``ml.promotion_invitations``.
    unavailable
        Rows of ``ml.unavailable``.
    rules
        The merchandiser's rules, those that could not be obeyed with their fault.
    rule_costs
        Rows of ``ml.rule_costs``.
    hindered
        How many products were kept out, by the reason.
    """

    products: pl.DataFrame
    invitations: pl.DataFrame
    unavailable: list[Row]
    rules: Rules
    rule_costs: list[Row]
    hindered: Mapping[str, int]


def lacking(products: pl.DataFrame, elasticities: pl.DataFrame, params: RunParams) -> str | None:
    """Return what the shop does not deliver and a promotion cannot do without, in words; None where all is there."""
    if products["category"].null_count() == products.height:
        return "not available: needs products.category_path, as a promotion is told from what like products lose"
    if products["price_cents"].null_count() == products.height:
        return "not available: needs products.price_cents, or sales to tell prices from"
    if params.assumed_cost_share is None and products["cost_cents"].null_count() == products.height:
        return "not available: needs products.cost_cents, or a value of assumed_cost_share"
    if elasticities.is_empty():
        return "not available: needs products sold at different prices over weeks (order_items.discount_cents)"
    return None


def unplanned(rules: Rules, why: str) -> Planned:
    """Return the plan that promotes nothing, and why."""
    rows = [{"result": name, "reason": why} for name in (PRODUCTS, INVITED)]
    return Planned(PROMOTION_PRODUCTS.frame([]), PROMOTION_INVITATIONS.frame([]), rows, rules, [], {})


def plan(facts: Facts, candidates: pl.DataFrame, customers: pl.DataFrame, rules: Rules, params: RunParams) -> Planned:
    """Return the promotion with the highest expected incremental margin, or why there is none.

    Parameters
    ----------
    candidates
        Rows of ``ml.candidates`` of the personal run: P of each customer's likeliest products.
    customers
        Rows of ``features.ftr_customers``.
    """
    known = responses(facts, params)
    if known.is_empty():
        why = "not available: no product has a price, a cost, sales and an elasticity at once"
        return unplanned(rules, why)
    rules = together(facts, known, obeyable(facts, known, rules, params), params)
    chosen = promotion(facts, known, rules, params)
    costs = rule_costs(
        lambda some: promotion(facts, known, some, params).objective,
        rules,
        "expected_margin_cents",
        "the promotion was chosen again; without one it is 0",
    )
    hindered = pl.Series(list(hindrances(facts, known, rules, params).values()), dtype=pl.String)
    counted = dict(hindered.value_counts(sort=True).iter_rows())
    if chosen.fault is not None:
        return replace(unplanned(rules, chosen.fault), rule_costs=costs, hindered=counted)
    invited = invitations(candidates, chosen.rows, customers, params)
    missing = [] if invited.height else [{"result": INVITED, "reason": "not worth it: no customer is expected to add"}]
    return Planned(product_rows(chosen, facts, params), invited, missing, rules, costs, counted)


def promotion(facts: Facts, known: pl.DataFrame, rules: Rules, params: RunParams) -> Chosen:
    """Return what is chosen under some rules."""
    kept_out = list(hindrances(facts, known, rules, params))
    able = known.filter(~pl.col("product_id").is_in(kept_out))
    offered = options(able, rules, params, facts.effects.deal)
    if offered.is_empty():
        return Chosen(offered, 0.0, 0.0, "not possible: no product may be promoted within the limits and the rules")
    return choose(offered, rules, params)


def obeyable(facts: Facts, known: pl.DataFrame, rules: Rules, params: RunParams) -> Rules:
    """Return the rules; what they want in the promotion and cannot be there is their fault, and binds nothing."""
    reasons = hindrances(facts, known, rules, params)
    able = known.filter(~pl.col("product_id").is_in(list(reasons)))
    there = set(options(able, rules, params, facts.effects.deal)["product_id"])
    limits = "no discount keeps the margin floor, the price floors and the stock"
    unknown = "its price, cost, sales or response to prices is not known"

    def judged(rule: Rule) -> Rule:
        product = rule.product_id
        if rule.fault or rule.kind not in WANTING or product is None or product in there:
            return rule
        why = reasons.get(product) or (limits if product in set(known["product_id"]) else unknown)
        return replace(rule, fault=f"{product} cannot be promoted: {why}")

    return Rules(tuple(judged(rule) for rule in rules.rules))


def together(facts: Facts, known: pl.DataFrame, rules: Rules, params: RunParams) -> Rules:
    """Return the rules; of those that want products in, the ones that leave no promotion beside others are at fault.

    Taken one by one, in the order of their ids, each is obeyed that leaves a promotion beside those before it.
    """
    wanting = [rule.rule_id for rule in rules.obeyed if rule.kind in WANTING]
    if not wanting or promotion(facts, known, rules, params).fault is None:
        return rules
    faults = dict.fromkeys(wanting, "not tried")
    for name in sorted(wanting):
        del faults[name]
        if (fault := promotion(facts, known, _faulted(rules, faults), params).fault) is not None:
            faults[name] = f"with it and the rules before it there is no promotion: {fault}"
    return _faulted(rules, faults)


def _faulted(rules: Rules, faults: Mapping[str, str]) -> Rules:
    return Rules(tuple(replace(rule, fault=faults.get(rule.rule_id, rule.fault)) for rule in rules.rules))


def product_rows(chosen: Chosen, facts: Facts, params: RunParams) -> pl.DataFrame:
    """Return the rows of ``ml.promotion_products``, without the run, the most valuable product first."""
    first, last = period(facts.as_of, params)
    drawn = drawn_margins(chosen.rows, facts, params.seed)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    plan_low, plan_high = np.quantile(drawn.sum(axis=1), [0.025, 0.975])
    rows = chosen.rows.with_columns(
        starts_on=pl.lit(first),
        ends_on=pl.lit(last),
        list_price_cents="price_cents",
        elasticity_level="level",
        expected_incremental_margin_cents="margin_cents",
        incremental_margin_low_cents=pl.Series(low),
        incremental_margin_high_cents=pl.Series(high),
        margin_note=pl.when("is_cost_assumed").then(pl.lit(ASSUMED_COST)),
        reason=pl.Series([reason(row) for row in chosen.rows.iter_rows(named=True)], dtype=pl.String),
        objective=pl.lit(chosen.objective),
        upper_bound=pl.lit(chosen.upper_bound),
        gap_pct=pl.lit(chosen.gap_pct),
        plan_margin_low_cents=pl.lit(float(plan_low)),
        plan_margin_high_cents=pl.lit(float(plan_high)),
    )
    names = [name for name in PROMOTION_PRODUCTS.columns if name != "run_id"]
    return rows.sort("margin_cents", "product_id", descending=[True, False]).select(names)


def drawn_margins(rows: pl.DataFrame, facts: Facts, seed: int) -> np.ndarray:
    """Return (draws, rows) incremental margins in cents for elasticities and side effects as uncertain as they are.

    Products whose elasticity is that of their category or of the shop share its error.
    """
    rng = np.random.default_rng([seed, 21])
    shared = pl.when(pl.col("level") == OWN_LEVEL).then("product_id").when(pl.col("level") == "category")
    owner = rows.select(pl.concat_str("level", shared.then("group").otherwise(pl.lit("")), separator=":")).to_series()
    code = owner.rank("dense").cast(pl.Int64).to_numpy() - 1
    error = rng.standard_normal((DRAWS, int(code.max()) + 1))[:, code]
    spread = ((rows["high"] - rows["low"]) / WIDTH).to_numpy()
    elasticity = np.minimum(rows["elasticity"].to_numpy() + spread * error, 0.0)
    effects, scale = facts.effects, {}
    names, shares = ("taken_cents", "pulled_cents", "halo_cents"), (effects.taken, effects.pulled, effects.halo)
    for name, share, used in zip(names, shares, effects.believed(), strict=True):
        drawn = (used + share.spread * rng.standard_normal((DRAWS, 1))).clip(0.0, 1.0)
        scale[name] = drawn / used if used > 0 else np.zeros((DRAWS, 1))
    return values(rows, elasticity, scale)[1]["margin_cents"]


def reason(row: Row) -> str:
    """Return why the product is promoted, made of numbers that stand in its row."""
    more = row["expected_units"] / row["base_units"]
    rests = {OWN_LEVEL: "its own prices", "category": "prices of its category", "shop": "prices of the whole shop"}
    beside = [f"{row['substituted_margin_cents'] / 100:.2f} is lost on products like it"]
    beside += [f"{row['pulled_margin_cents'] / 100:.2f} on later sales"]
    if row["halo_margin_cents"] > 0:
        beside.append(f"{row['halo_margin_cents'] / 100:.2f} is won on what is bought along")
    usual, off = f"{more:.1f} times the usual {row['base_units']:.1f} units", f"{100 * row['discount_share']:.0f} % off"
    market = row["signal_ratio"]
    told = "" if market == 1 else f" (the market's signals: {market:.2f} times recent weeks)"
    return f"{row['name']}: {usual}{told} at {off}, judging by {rests[row['level']]}; {', '.join(beside)}."
