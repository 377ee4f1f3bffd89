"""Write a short card about each customer, and the alerts that service staff should see today."""

from ml.demand.lapse import fit_lapse, visit_days
from ml.demand.repurchase import fit_repurchase
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.customer_care.alerts import raise_alerts
from ml.scenarios.customer_care.cards import CareFacts, make_cards
from ml.scenarios.customer_care.due import usual_baskets
from ml.scenarios.ground import Ground
from ml.scenarios.rules import Rules, rule_costs
from ml.settings import Settings
from ml.tables import APPLIED_RULES, CARE_ALERTS, CUSTOMER_CARDS, DUE_REPURCHASES, RULE_COSTS, UNAVAILABLE

NO_STOCK = "not available: alerts about favourites that are sold out need raw.stock_levels"
SOLVED_AGAIN = "the bundle on each card was chosen again without the rule; worth: their expected revenue"


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.customer_cards``, ``ml.due_repurchases``, ``ml.care_alerts``, the rules and what they cost.

    Raises
    ------
    DataError
        When the day has no features or no personal run.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    facts = facts_of(ground)
    cards = make_cards(facts, ground.rules)
    alerts = raise_alerts(facts, cards, ground.rules, context.params.alerts_per_day)

    def value_of(rules: Rules) -> float:
        return make_cards(facts, rules).value

    costs = rule_costs(value_of, ground.rules, "expected_revenue_cents", SOLVED_AGAIN)
    write = ground.warehouse.replace_run
    counts: Counts = {
        "customers": write(CUSTOMER_CARDS, CUSTOMER_CARDS.frame(cards.cards), lease),
        "due_products": write(DUE_REPURCHASES, DUE_REPURCHASES.frame(cards.due), lease),
        "alerts": write(CARE_ALERTS, CARE_ALERTS.frame(alerts), lease),
        "alerts_beyond_cap": sum(not row["is_within_cap"] for row in alerts),
        "sensitive_products": facts.products.height - cards.spoken.height,
    }
    write(APPLIED_RULES, APPLIED_RULES.frame(ground.rules.rows()), lease)
    write(RULE_COSTS, RULE_COSTS.frame(costs), lease)
    has_stock = facts.products["available_units"].is_not_null().any()
    reasons = [] if has_stock else [{"result": CARE_ALERTS.name, "reason": NO_STOCK}]
    write(UNAVAILABLE, UNAVAILABLE.frame(reasons), lease)
    patch = {"counts": counts, "data_through": str(ground.baskets["basket_on"].max())}
    ground.warehouse.call("ops.note_run", run_id=lease.run_id, patch=patch)
    return {"run_id": lease.run_id, **counts}


def facts_of(ground: Ground) -> CareFacts:
    """Return what the day says of its customers."""
    as_of = ground.context.as_of
    return CareFacts(
        as_of, ground.products, ground.customers, ground.purchases, ground.baskets, ground.events,
        ground.bundles, ground.bundle_items, ground.sensitive,
        fit_lapse(visit_days(ground.baskets), as_of), fit_repurchase(usual_baskets(ground.baskets), as_of),
    )  # fmt: skip
