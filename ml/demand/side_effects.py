"""What a discount does beside the units it sells: it takes from like products and later weeks, and gives to others.

All three are ratios of mean changes: how much the one quantity moved in weeks in which a product was discounted,
against its other weeks, over how much the product's own units moved. The discount is the instrument, so noise in the
units of single weeks does not pull the ratios to zero as it would in a regression. Pooled over the shop, since one
product is discounted too seldom to tell; the spread is that of whole products drawn.

Source
------
Wald (1940), The fitting of straight lines if both variables are subject to error, Annals of Mathematical Statistics 11.
Van Heerde, Leeflang and Wittink (2004), Decomposing the sales promotion bump with store data, Marketing Science 23 (3).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.deal import NO_DEAL, Deal, deal_effect
from ml.demand.discounted import LATER_WEEKS, DiscountedWeeks, Event
from ml.demand.panel import weekly_panel

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """A share of a product's extra units, with the standard error of it."""

    value: float
    spread: float

    def bounded(self) -> float:
        """Return the share within 0 and 1."""
        return min(max(self.value, 0.0), 1.0)

    def shrunk(self) -> float:
        """Return the share within 0 and 1, drawn to 0 by what chance alone would bring.

        Source
        ------
        James and Stein (1961), Estimation with quadratic loss, Proc. 4th Berkeley Symposium (positive part).
        """
        chance = 1.0 if self.value == 0 else min((self.spread / self.value) ** 2, 1.0)
        return self.bounded() * (1 - chance)


@dataclass(frozen=True)
class SideEffects:
    """What one extra unit of a discounted product comes with.

    Attributes
    ----------
    taken
        Units that other products of its category sell less in the same week.
    pulled
        Units that its category sells less in the ``LATER_WEEKS`` weeks after.
    halo
        Share of the additional units of complements, by their association, that is really sold.
    weeks
        Product-weeks with a discount that all rest on.
    deal
        What being on offer does at any depth.
    """

    taken: Share
    pulled: Share
    halo: Share
    weeks: int
    deal: Deal = NO_DEAL

    def believed(self) -> tuple[float, float, float]:
        """Return taken, pulled and halo as they are reckoned with.

        Each lies between 0 and 1, and what is taken and pulled is no more than the extra units themselves: a discount
        makes nobody need less of a category. Halo is drawn to 0, since it speaks for a promotion and not against it.
        """
        taken = self.taken.bounded()
        return taken, min(self.pulled.bounded(), 1.0 - taken), self.halo.shrunk()


NOTHING = Share(0.0, 0.0)
UNTOLD = SideEffects(Share(0.0, 1.0), Share(0.0, 1.0), NOTHING, 0)
"""Where too few discounts tell anything: any share is as likely as another, give or take."""


def rival_margin(margin: pl.Expr, units: pl.Expr) -> pl.Expr:
    """Return what a unit of the other products earns on average, weighted by their units; 0 where none sells.

    To be taken over the products of a category, ``.over("category")``.
    """
    others = units.sum() - units
    return pl.when(others > 1e-9).then(((margin * units).sum() - margin * units) / others).otherwise(0.0)


def side_effects(
    product_days: pl.DataFrame,
    products: pl.DataFrame,
    complements: pl.DataFrame | None,
    through: date,
    least_weeks: int = 20,
) -> SideEffects | None:
    """Return the shares, or None where too few product-weeks had a discount.

    Parameters
    ----------
    product_days
        Rows of ``features.ftr_product_days``.
    products
        ``product_id``, ``category`` and, where there are, the lists of promotions of ``features.ftr_products``.
    complements
        ``product_id``, ``complement_id``, ``added_units``: units of the complement that an extra unit of the product
        would bring if association were all; None: the halo is not asked for.
    through
        Last day that may be used.
    least_weeks
        Product-weeks with a discount that are needed.
    """
    weeks = DiscountedWeeks.of(weekly_panel(product_days, products, through), products)
    if weeks is None:
        return None
    events = list(weeks.events())
    count = sum(event.own.size for event in events)
    own = np.array([event.own.sum() for event in events])
    if count < least_weeks or own.sum() <= 0:
        return None
    taken = _ratios([_taken(weeks, event) for event in events])
    pulled = _ratios([_pulled(weeks, event) for event in events])
    halo = NOTHING if complements is None else _ratios(_halo(weeks, events, complements))
    return SideEffects(taken, pulled, halo, count, deal_effect(events))


Sums = tuple[float, float]
"""Upper and lower part of a ratio, summed over the weeks of one product."""


def _taken(weeks: DiscountedWeeks, event: Event) -> Sums:
    """Return the units that others of the category lack, and own extra ones by the share of the others that is seen."""
    alike = np.flatnonzero(weeks.category == weeks.category[event.product])
    change, mean, is_seen = weeks.moved(alike[alike != event.product], event)
    return -float(change.sum()), float(event.own @ _seen_share(mean, is_seen))


def _pulled(weeks: DiscountedWeeks, event: Event) -> Sums:
    """Return the units that the category lacks in the weeks after, and own extra ones by the share that is seen.

    The weeks after a discount end where the next one begins, which has weeks after of its own.
    """
    alike = np.flatnonzero(weeks.category == weeks.category[event.product])
    is_known = event.week + LATER_WEEKS < weeks.units.shape[1]
    lacking, share = 0.0, np.zeros(len(event.week))
    for ahead in range(1, LATER_WEEKS + 1):
        change, mean, is_seen = weeks.moved(alike, event, ahead)
        counts = is_known & (event.week + ahead < event.next_week)
        lacking -= float(change[:, counts].sum())
        share += np.where(counts, _seen_share(mean, is_seen), 1.0) / LATER_WEEKS
    return lacking, float((event.own * share)[is_known].sum())


def _halo(weeks: DiscountedWeeks, events: list[Event], complements: pl.DataFrame) -> list[Sums]:
    """Return units of complements that came and that association promised, each pair weighted by what it promises."""
    code = {product: number for number, product in enumerate(weeks.product_ids)}
    named = complements.filter(pl.col("product_id").is_in(list(code)), pl.col("complement_id").is_in(list(code)))
    promised = {key[0]: part for key, part in named.partition_by("product_id", as_dict=True).items()}
    found = []
    for event in events:
        part = promised.get(weeks.product_ids[event.product])
        if part is None:
            continue
        added = part["added_units"].to_numpy()
        weight = added * event.own.mean()
        change, _, is_seen = weeks.moved(np.array([code[other] for other in part["complement_id"]]), event)
        found.append((float((weight @ change).sum()), float(((weight * added) @ is_seen) @ event.own)))
    return found


def _seen_share(mean: Reals, is_seen: Flags) -> Reals:
    """Return (n,) the share of the usual units of products that is seen; 1 where they sell nothing to be lacked."""
    whole = mean.sum(axis=0)
    return np.divide((mean * is_seen).sum(axis=0), whole, out=np.ones_like(whole), where=whole > 0)


def _ratios(sums: list[Sums]) -> Share:
    """Return the ratio of two sums over products, with the standard error of whole products drawn."""
    upper, lower = (np.array(part) for part in zip(*sums, strict=True)) if sums else (np.zeros(0), np.zeros(0))
    if lower.sum() <= 0:
        return NOTHING
    value = float(upper.sum() / lower.sum())
    return Share(value, float(np.sqrt(((upper - value * lower) ** 2).sum()) / lower.sum()))
