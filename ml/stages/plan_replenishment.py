"""Forecast demand, and say for each product what to reorder and what to sell off in bundles instead."""

import logging

from ml.demand.forecast import forecast
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground
from ml.scenarios.replenishment.known import answered_products, induced_units, known_sales, partners, thin_products
from ml.scenarios.replenishment.needs import Needs, ReplenishmentParams, needs_of
from ml.scenarios.replenishment.plan import NEEDS_SALES, NEEDS_STOCK, Plan, Row, costs_of_rules, partners_by_product
from ml.scenarios.replenishment.thin import thin_rows
from ml.settings import Settings
from ml.tables import APPLIED_RULES, DEMAND_FORECASTS, REPLENISHMENT, RULE_COSTS, UNAVAILABLE

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.demand_forecasts`` and ``ml.replenishment`` of the run, with the rules it obeyed and their costs.

    Without stock counts the forecasts are written, and one row says that reorders need them.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    products = answered_products(ground)
    forecasts, lines, costs = DEMAND_FORECASTS.frame([]), list[Row](), list[Row]()
    unavailable = {}
    if products.is_empty():
        unavailable = dict.fromkeys((DEMAND_FORECASTS.name, REPLENISHMENT.name), NEEDS_SALES)
    else:
        needs = _needs(ground)
        forecasts = needs.forecast_rows(context.as_of)
        if products["available_units"].null_count():
            unavailable = {REPLENISHMENT.name: NEEDS_STOCK}
        else:
            pairs = partners(ground.associations, products)
            plan = Plan(needs, products, partners_by_product(pairs), ground.rules)
            thin = thin_products(ground)
            few = thin_rows(thin, ground.product_days, context.as_of, settings.min_product_baskets)
            lines, costs = [*plan.rows(), *few], costs_of_rules(plan)
    reasons = [{"result": result, "reason": reason} for result, reason in unavailable.items()]
    for result, reason in unavailable.items():
        log.warning("%s: %s", result, reason)
    warehouse = ground.warehouse
    stands_on = {"personal_run": ground.personal_run} if lines or not forecasts.is_empty() else {}
    left_out = {"products_without_forecast": ground.products.height - products.height}
    warehouse.call("ops.note_run", run_id=lease.run_id, patch={"counts": {**stands_on, **left_out}})
    warehouse.replace_run(UNAVAILABLE, UNAVAILABLE.frame(reasons), lease)
    warehouse.replace_run(APPLIED_RULES, APPLIED_RULES.frame(ground.rules.rows()), lease)
    warehouse.replace_run(RULE_COSTS, RULE_COSTS.frame(costs), lease)
    return {
        "run_id": lease.run_id,
        "products": products.height,
        **left_out,
        "demand_forecasts": warehouse.replace_run(DEMAND_FORECASTS, forecasts, lease),
        "replenishment": warehouse.replace_run(REPLENISHMENT, REPLENISHMENT.frame(lines), lease),
        "reorders": sum(line["action"] == "reorder" for line in lines),
        "order_units": sum(line["order_units"] for line in lines),
        "bundle_proposals": sum(line["action"] == "bundle_instead" for line in lines),
    }


def _needs(ground: Ground) -> Needs:
    params = ground.context.params
    sales = known_sales(ground, answered_products(ground))
    base = forecast(sales, params.seed)
    induced = induced_units(ground.bundles, ground.bundle_items, ground.customers)
    return needs_of(base, induced, ground.lead_times, ReplenishmentParams.of(params))
