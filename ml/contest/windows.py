"""Recipes followed on data of the past and measured in the window after it.

A *window* is the days after its origin, as many as are held out; models that are judged in it were fitted on days up to
the origin, or up to an older origin where the age of a champion's data is replayed. Windows do not overlap.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from ml.errors import DataError, NotEnoughDataError
from ml.evaluation.measured import Asked, Measured, measured
from ml.evaluation.segments import NEW_CUSTOMERS, customer_segments, product_segments
from ml.evaluation.splits import rolling_origins
from ml.preference.contract import PreferenceModel, tell
from ml.preference.recipe import Recipe
from ml.settings import Settings
from ml.training import Shop, asked, examples, kept_small, scored, targets_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entrant:
    """Who takes part.

    Attributes
    ----------
    name
        Unique among the entrants.
    recipe
        What is followed in every window.
    older
        By how many windows its data end before a window's origin: the age of the champion's data.
    newest_only
        Measured in the newest window alone, to save time.
    """

    name: str
    recipe: Recipe
    older: int = 0
    newest_only: bool = False


@dataclass(frozen=True)
class Window:
    """One window: the shop as its models see it, the questions, and the labelled candidates."""

    shop: Shop
    asked: Asked
    candidates: pl.DataFrame


@dataclass(frozen=True)
class Contest:
    """What came out.

    Attributes
    ----------
    measured
        By entrant, its results, oldest window first; what could not be measured is missing.
    models
        By entrant, the model it was judged by in the newest window.
    newest
        The newest window.
    learned
        Examples that the models of the newest window learnt from.
    notes
        What could not be measured, and why.
    """

    measured: Mapping[str, Sequence[Measured]]
    models: Mapping[str, PreferenceModel]
    newest: Window
    learned: int
    notes: tuple[str, ...]


def hold_contest(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    as_of: date,
    entrants: Sequence[Entrant],
    settings: Settings,
    seed: int,
    events: pl.DataFrame | None = None,
    reactions: pl.DataFrame | None = None,
) -> Contest:
    """Fit every recipe where it is needed, and measure it in each window; equal recipes are fitted once.

    Models that listen are told the events, those that observe the reactions to bundles.

    Raises
    ------
    DataError
        When the newest window has nothing to learn from or nobody to judge by; an older one is left out then.
    """
    wanted = settings.preference
    last = as_of - timedelta(days=wanted.holdout_days)
    heard = (events, reactions)
    origins = rolling_origins(last, wanted.gate_windows + max(one.older for one in entrants), wanted.holdout_days)
    judged = origins[-wanted.gate_windows :]
    found: dict[str, list[Measured]] = {one.name: [] for one in entrants}
    fitted: dict[tuple[date, Recipe], PreferenceModel] = {}
    notes: list[str] = []
    for number, origin in enumerate(origins):
        shop = Shop.of(baskets, products, settings.min_product_baskets, origin)
        try:
            learned = _fit(_needed(entrants, origins, judged, number), origin, shop, heard, fitted, settings, seed)
            window = window_after(shop, origin, settings) if origin in judged else None
        except DataError as error:
            if origin == last:
                raise
            notes.append(f"nothing after {origin}: {error}")
            continue
        if window is None:
            continue
        for one in entrants:
            model = fitted.get((origins[number - one.older], one.recipe))
            if model is None or (one.newest_only and origin != last):
                continue
            table = scored(model, shop, window.candidates)
            found[one.name].append(measured(table, window.asked, settings.optimizer.bootstrap_draws, seed))
    models = {one.name: fitted.get((origins[-1 - one.older], one.recipe)) for one in entrants}
    assert window is not None  # noqa: S101 - for the type checker; the newest origin is judged
    there = {name: model for name, model in models.items() if model is not None}
    return Contest(found, there, window, learned, tuple(notes))


def window_after(shop: Shop, origin: date, settings: Settings) -> Window:
    """Return the questions after ``origin``, as the horizon of the settings wants them answered.

    For the next basket they are each customer's first one, new customers' too; for 28 days all that a customer buys
    in them, asked of everybody who has bought before.

    Raises
    ------
    NotEnoughDataError
        When no customer with a history buys anything.
    """
    wanted, cut = settings.preference, origin + timedelta(days=1)
    targets = targets_of(shop.baskets, cut, origin + timedelta(days=wanted.holdout_days), 0, settings)
    customers = customer_segments(shop.baskets, targets, wanted.min_customer_baskets)
    came = targets.filter(pl.col("product_ids").list.len() > 0)
    if customers.filter(pl.col("segment") != NEW_CUSTOMERS).join(came, on="customer_id", how="semi").is_empty():
        raise NotEnoughDataError(
            f"no customer with {wanted.min_customer_baskets} baskets up to {origin} has one in the "
            f"{wanted.holdout_days} days after it"
        )
    questions = Asked(origin, targets, customers, product_segments(shop.baskets, shop.products, cut))
    return Window(shop, questions, asked(shop, targets, settings))


def _needed(entrants: Sequence[Entrant], origins: Sequence[date], judged: Sequence[date], number: int) -> list[Recipe]:
    """Return the recipes that some window needs followed on the data up to origin ``number``."""
    recipes = []
    for one in entrants:
        windows = judged[-1:] if one.newest_only else judged
        if number + one.older < len(origins) and origins[number + one.older] in windows:
            recipes.append(one.recipe)
    return list(dict.fromkeys(recipes))


def _fit(
    recipes: Sequence[Recipe],
    origin: date,
    shop: Shop,
    heard: tuple[pl.DataFrame | None, pl.DataFrame | None],
    fitted: dict[tuple[date, Recipe], PreferenceModel],
    settings: Settings,
    seed: int,
) -> int:
    """Fit the recipes on what was known at the origin; return the number of examples they learnt from."""
    learned = examples(shop, origin, settings)
    known = shop.baskets.filter(pl.col("basket_on") <= origin)
    for recipe in recipes:
        model = tell(recipe.model(seed, settings.threads), *heard)
        model = model.fit(known, shop.products, learned)
        fitted[origin, recipe] = kept_small(model, known, shop.products, learned, seed)
        log.info("fitted %s on %d examples up to %s", recipe.kind, learned.height, origin)
    return learned.height
