"""The shop's own bundles: what is scored because of them, and what each is worth to a customer, or why it has no rank.

Their products are scored beside the candidates and not put among them: the optimizer searches among the candidates, so
what the shop sells already would otherwise change what it chooses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.optimizer.given import given_values
from ml.scenarios.slates import Desk, Slate

Row = dict[str, Any]

NOT_OFFERED, NOT_A_CANDIDATE, INFEASIBLE = "not_offered", "not_a_candidate", "infeasible"
"""Followed by a colon and the products or the constraints, joined by "+"."""
TOO_MANY, NOT_WORTH_SHOWING = "too_many_products", "not_worth_showing"


@dataclass(frozen=True)
class GivenBundle:
    """A bundle of the shop's own.

    Attributes
    ----------
    name, product_ids
        Row of ``features.ftr_given_bundles``.
    list_price_cents
        Sum of the list prices; None where a product is not offered.
    unranked_reason
        Why nobody can have it as a bundle of this run; None where that depends on the customer.
    """

    name: str
    product_ids: tuple[str, ...]
    list_price_cents: int | None
    unranked_reason: str | None


def given_products(given: pl.DataFrame, offered: pl.Series, largest: int) -> pl.DataFrame:
    """Return ``product_id`` of all that must be scored so that the given bundles can be valued, each once.

    Parameters
    ----------
    given
        Rows of ``features.ftr_given_bundles``; those that nobody can have need no scores.
    offered, largest
        Products that can stand in a bundle, and how many of them may.
    """
    able = given.filter(
        pl.col("bundle_size") <= largest, pl.col("product_ids").list.eval(pl.element().is_in(offered)).list.all()
    )
    return able.select(product_id=pl.col("product_ids").explode()).unique().sort("product_id")


def without_given(scored: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Return the scored candidates as they are where no bundle is given, with ``is_asked``.

    Parameters
    ----------
    scored
        ``customer_id``, ``product_id``, ``sources`` and more, with the products of given bundles among what was asked.
    asked
        ``customer_id``, ``product_id`` of what else was asked for, each once.
    """
    marked = scored.join(asked.with_columns(is_asked=True), on=["customer_id", "product_id"], how="left")
    own = pl.col("sources").list.eval(pl.element().filter(pl.element() != "asked"))
    return marked.with_columns(
        is_asked=pl.col("is_asked").fill_null(value=False),
        sources=pl.when(pl.col("is_asked").is_null()).then(own).otherwise("sources"),
    ).filter(pl.col("sources").list.len() > 0)


def beside(scored: pl.DataFrame, shortlisted: pl.DataFrame, products: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the rows of ``ml.given_candidates`` without the run: given products that the shortlists lack.

    Parameters
    ----------
    scored, shortlisted
        All that was scored, and the candidates among it.
    products
        From :func:`given_products`.
    most
        Rows for each customer, the likeliest products: a shop may have any number of bundles, the table may not.
    """
    lacking = scored.join(products, on="product_id", how="semi").join(
        shortlisted, on=["customer_id", "product_id"], how="anti"
    )
    return (
        lacking.sort("customer_id", "preference", "product_id", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("customer_id") < most)
        .select("customer_id", "product_id", "preference", "sources")
    )


def given_bundles(given: pl.DataFrame, desk: Desk) -> list[GivenBundle]:
    """Return all given bundles by name."""
    return [
        _given_bundle(name, tuple(product_ids), desk)
        for name, product_ids in given.sort("given_bundle_id").select("given_bundle_id", "product_ids").iter_rows()
    ]


def _given_bundle(name: str, product_ids: tuple[str, ...], desk: Desk) -> GivenBundle:
    missing = [product for product in product_ids if product not in desk.shelf.code]
    if missing:
        return GivenBundle(name, product_ids, None, _because(NOT_OFFERED, missing))
    price = int(desk.shelf.price_cents[[desk.shelf.code[product] for product in product_ids]].sum())
    return GivenBundle(name, product_ids, price, TOO_MANY if len(product_ids) > desk.limits.max_size else None)


def given_rows(slate: Slate, more: pl.DataFrame, given: Sequence[GivenBundle], desk: Desk) -> list[Row]:
    """Return a customer's rows of ``ml.given_bundle_ranks`` without the run: one for each given bundle.

    Parameters
    ----------
    slate
        The customer's candidates.
    more
        The customer's rows of ``ml.given_candidates``.
    """
    codes = np.concatenate([slate.codes, desk.shelf.codes(more["product_id"])])
    preference = np.concatenate([slate.preference, more["preference"].to_numpy()])
    is_anchor = np.concatenate([slate.is_anchor, more["sources"].list.contains("bought").to_numpy()])
    problem = desk.problem(codes, preference, is_anchor, slate.spread)
    place = {desk.shelf.product_ids[code]: number for number, code in enumerate(codes)}
    reasons = [bundle.unranked_reason or _missing(bundle, place) for bundle in given]
    able = [number for number, reason in enumerate(reasons) if reason is None]
    items = [tuple(sorted(place[product] for product in given[number].product_ids)) for number in able]
    values = given_values(problem, items)
    worth: dict[int, tuple[float, float]] = {}
    for number, own, value in zip(able, items, values.tolist(), strict=True):
        if value == -np.inf:
            reasons[number] = _because(INFEASIBLE, problem.violations(own))
            continue
        worth[number] = value, problem.joint_probability(own)
        reasons[number] = None if value > 0 else NOT_WORTH_SHOWING
    ranked = sorted((number for number in worth if reasons[number] is None), key=lambda number: -worth[number][0])
    rank = {number: rank for rank, number in enumerate(ranked, start=1)}
    rows = []
    for number, bundle in enumerate(given):
        value, joint = worth.get(number, (None, None))
        rows.append(
            {
                "customer_id": slate.customer_id,
                "given_bundle_id": bundle.name,
                "bundle_rank": rank.get(number),
                "objective": value,
                "joint_probability": joint,
                "list_price_cents": bundle.list_price_cents,
                "unranked_reason": reasons[number],
            }
        )
    return rows


def _missing(bundle: GivenBundle, place: dict[str, int]) -> str | None:
    missing = [product for product in bundle.product_ids if product not in place]
    return _because(NOT_A_CANDIDATE, missing) if missing else None


def _because(reason: str, names: Sequence[str]) -> str:
    return f"{reason}:{'+'.join(names)}"
