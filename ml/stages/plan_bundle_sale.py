"""Choose bundles for everybody and their prices together, for a sale of some days."""

from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.bundle_sale.day import world_of
from ml.scenarios.bundle_sale.plan import NEEDS_PRICES, plan_sale
from ml.scenarios.ground import Ground
from ml.scenarios.rules import rule_costs
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    BUNDLE_PRICE_ITEMS,
    BUNDLE_PRICES,
    ELASTICITIES,
    RULE_COSTS,
    UNAVAILABLE,
)

SOLVED = "the margin of the sale beyond no sale, planned anew"


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.bundle_prices``, ``ml.bundle_price_items`` and ``ml.elasticities`` of the run.

    Without costs there are elasticities and no prices; where prices never changed there is neither.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    world = world_of(ground)
    sale = plan_sale(world, ground.rules)
    lacking = {} if sale.unavailable is None else {"bundle_prices": sale.unavailable}
    if world.elasticity.is_empty():
        lacking["elasticities"] = NEEDS_PRICES
    costs = (
        []
        if lacking
        else rule_costs(lambda rules: plan_sale(world, rules).value, sale.rules, "expected_margin_cents", SOLVED)
    )
    write = ground.warehouse.replace_run
    write(APPLIED_RULES, APPLIED_RULES.frame(sale.rules.rows()), lease)
    write(RULE_COSTS, RULE_COSTS.frame(costs), lease)
    write(UNAVAILABLE, UNAVAILABLE.frame([{"result": name, "reason": why} for name, why in lacking.items()]), lease)
    return {
        "run_id": lease.run_id,
        "elasticities": write(ELASTICITIES, world.elasticity, lease),
        "bundle_prices": write(BUNDLE_PRICES, BUNDLE_PRICES.frame(sale.prices), lease),
        "discounted": sum(row["is_discounted"] for row in sale.prices),
        "items": write(BUNDLE_PRICE_ITEMS, BUNDLE_PRICE_ITEMS.frame(sale.items), lease),
        "expected_margin_cents": round(sale.value, 2),
    }
