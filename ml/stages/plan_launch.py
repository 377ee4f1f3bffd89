"""Plan the launch of new products: with what to show them, to whom, and how much of the budget each gets."""

from ml.association.backoff import load_back_off
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground
from ml.scenarios.launch.facts import WINDOW_DAYS, launch_facts, newcomers_of, params_of
from ml.scenarios.launch.plan import Plan, measure_of, plan_launches
from ml.scenarios.rules import Row, Rules, rule_costs
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    LAUNCH_AUDIENCE,
    LAUNCH_PARTNERS,
    LAUNCHES,
    RULE_COSTS,
    UNAVAILABLE,
)
from ml.tracking import Tracking
from ml.versions import lineage_of
from ml.warehouse import Lease

NO_LAUNCH = f"no product was launched in the last {WINDOW_DAYS} days"
NO_ESTIMATES = "not available: needs an association model with estimates for new products; train it anew"
SOLVED_AGAIN = "partners and audience were chosen again without the rule; worth: what the audience is expected to buy"
NOTHING = Plan([], [], [], None)


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.launches``, ``ml.launch_partners``, ``ml.launch_audience``, the rules and what they cost.

    Raises
    ------
    DataError
        When the day has no features, no personal run, or no champion association.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    if newcomers_of(ground).is_empty():
        return _write(ground, lease, NOTHING, [], NO_LAUNCH)
    champion = Tracking(settings).champion("association", context.as_of)
    ground.warehouse.call("ops.note_run", run_id=lease.run_id, patch=lineage_of(champion.version))
    back_off = load_back_off({path.name: path.read_bytes() for path in champion.folder.iterdir()})
    if back_off is None:
        return _write(ground, lease, NOTHING, [], NO_ESTIMATES)
    params = params_of(ground)
    facts = launch_facts(ground, back_off, params)
    plan = plan_launches(facts, ground.rules, params)

    def value_of(rules: Rules) -> float:
        return plan_launches(facts, rules, params).value or 0.0

    costs = [] if plan.value is None else rule_costs(value_of, ground.rules, measure_of(facts), SOLVED_AGAIN)
    return _write(ground, lease, plan, costs, None)


def _write(ground: Ground, lease: Lease, plan: Plan, costs: list[Row], missing: str | None) -> Counts:
    write = ground.warehouse.replace_run
    reasons = [] if missing is None else [{"result": LAUNCHES.name, "reason": missing}]
    counts: Counts = {
        "new_products": write(LAUNCHES, LAUNCHES.frame(plan.launches), lease),
        "partners": write(LAUNCH_PARTNERS, LAUNCH_PARTNERS.frame(plan.partners), lease),
        "impressions": write(LAUNCH_AUDIENCE, LAUNCH_AUDIENCE.frame(plan.audience), lease),
    }
    write(APPLIED_RULES, APPLIED_RULES.frame(ground.rules.rows()), lease)
    write(RULE_COSTS, RULE_COSTS.frame(costs), lease)
    write(UNAVAILABLE, UNAVAILABLE.frame(reasons), lease)
    counts["unspent_impressions"] = ground.context.params.launch_impressions - int(counts["impressions"])
    patch = {"counts": counts, "data_through": str(ground.baskets["basket_on"].max())}
    ground.warehouse.call("ops.note_run", run_id=lease.run_id, patch=patch)
    return {"run_id": lease.run_id, **counts}
