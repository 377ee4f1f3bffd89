"""A shop of random products and customers for the tests of slates."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ml.optimizer.limits import Limits
from ml.optimizer.solve import Search, solve_slate
from ml.policies.named import OURS, POLICIES
from ml.policies.shelf import Shelf
from ml.scenarios.slates import Desk, Slate
from tests.policies.shop import products


def desk(
    rng: np.random.Generator,
    limits: Limits,
    count: int = 12,
    bundles: int = 2,
    roles: tuple[Sequence[str], Sequence[str], Sequence[str]] = ((), (), ()),
    search: Search | None = None,
    **changes: list[object],
) -> Desk:
    """Return a shop of ``count`` products, each of a category of its own, half of the pairs with evidence.

    ``roles`` are the products to include, pinned and excluded.
    """
    names = [f"p{number:02d}" for number in range(count)]
    first, second = np.nonzero(np.triu(rng.random((count, count)) < 0.5, 1))
    lift = rng.gamma(3, 1, len(first))
    pairs = pl.DataFrame(
        {
            "product_a": [names[code] for code in first],
            "product_b": [names[code] for code in second],
            "pair_baskets": np.full(len(first), 20),
            "expected_baskets": 20 / lift,
            "lift_high": lift + 1.0,
            "association": lift,
        }
    )
    rows = products(
        product_id=list(names),
        title=list(names),
        category=list(names),
        price_cents=rng.integers(100, 900, count).tolist(),
        is_bundleable=[True] * count,
        **changes,
    )
    shelf = Shelf.of(rows, pairs)
    return Desk(shelf, POLICIES[OURS], limits, shelf.roles(*roles), search or Search(), bundles)


def customers(rng: np.random.Generator, shop: Desk, count: int, candidates: int = 8) -> list[Slate]:
    """Return customers with their slates, each the best without regard to others."""
    slates = []
    for number in range(count):
        chosen = rng.choice(len(shop.shelf.product_ids), candidates, replace=False)
        frame = pl.DataFrame(
            {
                "customer_id": [f"c{number:03d}"] * candidates,
                "product_id": [shop.shelf.product_ids[code] for code in chosen],
                "preference": rng.beta(1, 3, candidates),
                "basket_spread": rng.uniform(0.5, 2.0),
                "sources": [["bought"] if rng.random() < 0.5 else ["popular"] for _ in range(candidates)],
            }
        )
        (slate,) = Slate.each(frame, shop.shelf)
        slates.append(slate.with_solutions(solve_slate(slate.problem(shop), shop.search, shop.bundles)))
    return slates
