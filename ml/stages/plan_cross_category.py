"""Choose what to promote together, at what discount, and whom to invite."""

from ml.demand.price_response import elasticities
from ml.demand.side_effects import side_effects
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.cross_category.plan import Planned, lacking, plan, unplanned
from ml.scenarios.cross_category.responses import Facts, complements
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    PROMOTION_INVITATIONS,
    PROMOTION_PRODUCTS,
    RULE_COSTS,
    UNAVAILABLE,
)


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.promotion_products`` and ``ml.promotion_invitations`` of the run, or why there are none."""
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    planned = planned_on(ground)
    write = ground.warehouse.replace_run
    counts: Counts = {
        "run_id": lease.run_id,
        "promoted_products": write(PROMOTION_PRODUCTS, planned.products, lease),
        "invitations": write(PROMOTION_INVITATIONS, planned.invitations, lease),
        "unavailable": write(UNAVAILABLE, UNAVAILABLE.frame(planned.unavailable), lease),
        "applied_rules": write(APPLIED_RULES, APPLIED_RULES.frame(planned.rules.rows()), lease),
        "rule_costs": write(RULE_COSTS, RULE_COSTS.frame(planned.rule_costs), lease),
    }
    ground.warehouse.call("ops.note_run", run_id=lease.run_id, patch={"counts": {**planned.hindered}})
    return counts


def planned_on(ground: Ground) -> Planned:
    """Return the plan of the day; what the shop lacks for one ends as its reason."""
    params, day = ground.context.params, ground.context.as_of
    responses = elasticities(ground.product_days, ground.products, day)
    if (why := lacking(ground.products, responses, params)) is not None:
        return unplanned(ground.rules, why)
    along = complements(ground.associations, ground.products, ground.product_days, ground.baskets.height)
    effects = side_effects(ground.product_days, ground.products, along, day)
    if effects is None:
        return unplanned(ground.rules, "not available: needs weeks in which steadily sold products had a discount")
    facts = Facts(
        day, ground.products, ground.product_days, ground.associations, responses, effects, ground.promotions,
        ground.baskets.height, ground.market_signals,
    )  # fmt: skip
    return plan(facts, ground.candidates, ground.customers, ground.rules, params)
