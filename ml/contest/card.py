"""The card of a preference model, from the plan, the results and the gate's verdict."""

import re
from collections.abc import Mapping
from datetime import date

from ml.contest.logged import carded
from ml.contest.plan import Plan
from ml.contest.windows import Contest
from ml.evaluation.cards import Card
from ml.preference.load import kind_of
from ml.preference.recipe import Recipe
from ml.settings import HORIZON_DAYS, Settings

HORIZONS = {
    "next_basket": (
        "P that a customer's next basket holds a product; with the association it makes the joint probability of a "
        "bundle",
        "first basket in the {days} days",
        "P is of the next basket, whenever it comes, not of a period.",
    ),
    "next_28_days": (
        f"P that a customer buys a product within {HORIZON_DAYS} days, in whichever basket",
        f"purchases in the {HORIZON_DAYS} days",
        f"P is of {HORIZON_DAYS} days, not of one basket: multiplied it is no joint probability of a bundle. The order "
        "is judged on the customers who came, probabilities on all.",
    ),
}
"""By horizon: what P is, what it is judged on, and what it is not."""


def preference_card(
    entrant: str,
    recipe: Recipe,
    plan: Plan,
    contest: Contest,
    lineage: Mapping[str, object],
    reason: str,
    as_of: date,
    settings: Settings,
) -> str:
    """Return the card as markdown.

    Parameters
    ----------
    entrant
        Whose results the card shows.
    lineage
        Tags of the run: commit, dbt invocation, digests, seed.
    reason
        What the gate said.
    """
    newest, wanted = contest.measured[entrant][-1], settings.preference
    purpose, answers, limit = HORIZONS[wanted.horizon]
    about = re.sub(r":\w+:(`[^`]+`)", r"\1", (kind_of(recipe.kind).__doc__ or recipe.kind).splitlines()[0])
    facts = {
        "purpose": purpose,
        "trained on data up to": as_of,
        "judged": f"{newest.known.height} customers' {answers.format(days=wanted.holdout_days)} after {newest.origin}, "
        f"by a model fitted on {contest.learned} examples up to that day",
        "windows": ", ".join(str(one.origin) for one in contest.measured[entrant]),
        "recipe": recipe.text,
        **lineage,
    }
    limits = [
        "The registered model was refitted on all data and is itself not measured: its recipe is.",
        "It scores the candidates it is given: what the customer bought, what is popular and what goes with it. A "
        "product that is no candidate counts as missed in every recall.",
        f"Customers with fewer than {wanted.min_customer_baskets} baskets are not learnt from, and stand in the "
        "segments only; products in too few baskets are not scored at all.",
        limit,
        *plan.notes,
        *contest.notes,
    ]
    seed, draws = int(str(lineage["seed"])), settings.optimizer.bootstrap_draws
    metrics = carded(newest, draws, seed)
    return Card("preference", recipe.kind, about, as_of, facts, metrics, newest.segments, limits, reason).markdown()
