"""What a simulated day leaves in the shop's tables, as plain numbers; ``records`` gives them their keys and words.

In each table ``ymd`` and ``number`` make the key, and ``second`` counts from midnight UTC of 1970-01-01.
"""

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.sources.simulated_shop.browsing import events, reactions, reviews, visits
from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.shopping import DayOfSales
from ml.sources.simulated_shop.truth import Flags, Floats, Ints, Truth

ANONYMOUS, CANCELLED, RETURNED = 0.06, 0.01, 0.01
"""Share of store orders without a customer card, of web orders cancelled, of lines sent back."""
RETURN_AFTER_DAYS = (1, 14)
LATEST_CONSEQUENCE_DAYS = 14
"""Returns and reviews follow their order by at most this many days."""
STORES = 7
Numbers = dict[str, npt.NDArray[Any]]
"""One table: arrays of one length by name."""


def happenings(truth: Truth, market: Market, bundles: Flags, day: date, sales: DayOfSales) -> dict[str, Numbers]:
    """Return by table what the day caused; reviews and returns are dated up to two weeks later."""
    rng = np.random.default_rng([truth.seed, 7, day.toordinal()])
    midnight = (day - date(1970, 1, 1)).days * 86_400.0
    orders = len(sales.customer)
    is_web = rng.random(orders) < truth.web_share[sales.customer]
    at = np.where(is_web, rng.uniform(2700, 86_000, orders), rng.uniform(8 * 3600, 20 * 3600, orders))
    seen = visits(rng, truth, sales, is_web, at)
    steps = events(rng, truth, market, day, sales, seen)
    in_time = np.argsort(steps.second, kind="stable")
    told = reviews(rng, truth, sales)
    took = reactions(rng, truth, sales, seen, bundles)
    order_table = _orders(rng, sales, is_web, midnight + at)
    line_table = _lines(sales)
    back, back_lines = _returns(rng, order_table, line_table, sales.order)
    tables: dict[str, Numbers] = {
        "orders": _joined(order_table, back),
        "order_items": _joined(line_table, back_lines),
        "events": {
            "number": np.arange(len(in_time)),
            "customer": seen.customer[steps.visit[in_time]],
            "visit": steps.visit[in_time],
            "kind": steps.kind[in_time],
            "product": steps.product[in_time],
            "need": steps.need[in_time],
            "second": midnight + steps.second[in_time],
        },
        "sessions": {
            "number": np.arange(len(seen.customer)),
            "customer": seen.customer,
            "second": midnight + seen.begin,
        },
        "reviews": {
            "number": told.line,
            "product": sales.product[told.line],
            "customer": sales.customer[sales.order[told.line]],
            "rating": told.rating,
            "second": midnight + told.second,
        },
        "bundle_feedback": {
            "number": np.arange(len(took.visit)),
            "bundle": took.bundle,
            "customer": seen.customer[took.visit],
            "kind": took.kind,
            "order": np.where(took.kind == 3, seen.order[took.visit], -1),
            "second": midnight + took.second,
        },
    }
    ymd = day.year * 10_000 + day.month * 100 + day.day
    for table in tables.values():
        table["ymd"] = np.full(len(table["number"]), ymd)
    return tables


def counts(day: date, on_hand: Ints, products: Ints) -> Numbers:
    """Return the evening count of ``products``, at 23:59."""
    second = ((day - date(1970, 1, 1)).days + 1) * 86_400.0 - 60
    return {"product": products, "units": on_hand[products], "second": np.full(len(products), second)}


def _orders(rng: np.random.Generator, sales: DayOfSales, is_web: Flags, second: Floats) -> Numbers:
    count = len(sales.customer)
    is_unknown = ~is_web & (rng.random(count) < ANONYMOUS)
    return {
        "number": np.arange(count),
        "is_return": np.zeros(count, dtype=np.bool_),
        "customer": np.where(is_unknown, -1, sales.customer),
        "store": np.where(is_web, -1, sales.customer % STORES),
        "is_cancelled": is_web & (rng.random(count) < CANCELLED),
        "second": second,
    }


def _lines(sales: DayOfSales) -> Numbers:
    return {
        "number": sales.order,
        "is_return": np.zeros(len(sales.order), dtype=np.bool_),
        "line": np.arange(len(sales.order)) - np.searchsorted(sales.order, sales.order, side="left") + 1,
        "product": sales.product,
        "units": sales.units,
        "price_cents": sales.price_cents,
        "discount_cents": np.round(sales.units * sales.price_cents * sales.discount_share).astype(np.int64),
    }


def _returns(rng: np.random.Generator, orders: Numbers, lines: Numbers, order_of: Ints) -> tuple[Numbers, Numbers]:
    """Return the orders that bring a line back, one line each, at the price paid."""
    line = np.flatnonzero((rng.random(len(order_of)) < RETURNED) & ~orders["is_cancelled"][order_of])
    later = rng.integers(RETURN_AFTER_DAYS[0], RETURN_AFTER_DAYS[1] + 1, len(line)) * 86_400.0
    back = {name: values[order_of[line]] for name, values in orders.items()}
    back_lines = {name: values[line] for name, values in lines.items()}
    is_return = np.ones(len(line), dtype=np.bool_)
    back |= {"number": line, "is_return": is_return, "second": back["second"] + later}
    back_lines |= {
        "number": line,
        "is_return": is_return,
        "line": np.ones(len(line), dtype=np.int64),
        "units": -back_lines["units"].astype(np.int64),
    }
    return back, back_lines


def _joined(first: Numbers, second: Numbers) -> Numbers:
    return {name: np.concatenate([first[name], second[name]]) for name in first}
