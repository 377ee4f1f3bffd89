"""Impressions: never more than any cap, the best first, pinned before all, and no unit promised twice."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.demand.launches import Conversion
from ml.errors import ConfigError
from ml.scenarios.launch.budget import BudgetParams, Trial, drawn_conversion, shown
from ml.scenarios.launch.interest import Interested, interested

KNOWN = Conversion(2.0, 98.0, 3)


def found(interest: dict[str, list[float]]) -> Interested:
    """Return what some products mean to customers 0, 1, ..., 0 = not at all."""
    rows = [
        (product, customer, value)
        for product, values in enumerate(interest.values())
        for customer, value in sorted(enumerate(values), key=lambda pair: -pair[1])
        if value > 0
    ]
    product, customer, value = (np.array(column) for column in zip(*rows, strict=True))
    most = max(len(values) for values in interest.values())
    return Interested([*interest], [f"c{n}" for n in range(most)], product, customer, value.astype(float))


def pairs(asked: Interested, rows: np.ndarray) -> set[tuple[str, str]]:
    return {(asked.product_ids[asked.product[row]], asked.customer_ids[asked.customer[row]]) for row in rows}


def trial(capacity: float | None = None, is_pinned: bool = False, conversion: Conversion | None = None) -> Trial:
    return Trial(conversion, 1.0, capacity, is_pinned)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 30),
    st.integers(1, 6),
    st.integers(1, 3),
    st.booleans(),
)
def test_no_cap_is_ever_exceeded(seed: int, budget: int, per_product: int, per_customer: int, is_known: bool) -> None:
    rng = np.random.default_rng(seed)
    asked = found({f"n{k}": rng.gamma(0.5, 1, 8).tolist() for k in range(5)})
    capacity = {f"n{k}": float(rng.integers(0, 4)) if rng.random() < 0.5 else None for k in range(5)}
    trials = {name: trial(units, rng.random() < 0.2, KNOWN if is_known else None) for name, units in capacity.items()}
    rows = shown(asked, trials, BudgetParams(budget, per_product, per_customer, seed % 1000))
    assert len(rows) <= budget and len(set(rows.tolist())) == len(rows)
    assert np.bincount(asked.product[rows], minlength=1).max(initial=0) <= per_product
    assert np.bincount(asked.customer[rows], minlength=1).max(initial=0) <= per_customer
    for place, name in enumerate(asked.product_ids):
        units = trials[name].expected_units(asked.interest[rows[asked.product[rows] == place]]).sum()
        assert capacity[name] is None or units <= capacity[name] + 1e-9


def test_the_most_interested_come_first_and_no_customer_is_overrun() -> None:
    asked = found({"x": [5, 4, 0.1], "y": [3, 2, 0.2]})
    trials = {"x": trial(), "y": trial()}
    assert pairs(asked, shown(asked, trials, BudgetParams(3, 2, 1))) == {("x", "c0"), ("x", "c1"), ("y", "c2")}
    assert pairs(asked, shown(asked, trials, BudgetParams(2, 2, 2))) == {("x", "c0"), ("x", "c1")}


def test_a_pinned_product_has_its_whole_audience_before_all_others() -> None:
    asked = found({"x": [5, 4, 3], "y": [0.3, 0.2, 0.1]})
    rows = shown(asked, {"x": trial(), "y": trial(is_pinned=True)}, BudgetParams(3, 2, 1))
    assert pairs(asked, rows) == {("y", "c0"), ("y", "c1"), ("x", "c2")}


def test_a_product_that_is_not_tried_is_not_shown() -> None:
    asked = found({"x": [5, 4], "y": [3, 2]})
    assert {product for product, _ in pairs(asked, shown(asked, {"y": trial()}, BudgetParams(9, 9)))} == {"y"}


def test_what_is_uncertain_gets_its_chance_and_what_is_poor_little() -> None:
    asked = found({name: [1.0] for name in ("open", "poor")})
    wins = {"open": 0, "poor": 0}
    open_, poor = Conversion(0.5, 24.5, 0), Conversion(20.0, 2000.0, 0)
    for seed in range(200):
        trials = {"open": trial(conversion=open_), "poor": trial(conversion=poor)}
        (row,) = shown(asked, trials, BudgetParams(1, 1, 1, seed))
        wins[asked.product_ids[asked.product[row]]] += 1
    assert 40 < wins["open"] < 160, "about as often as it is the better one"


def test_a_draw_is_the_products_own_and_the_seeds() -> None:
    one = trial(conversion=KNOWN)
    assert drawn_conversion("x", one, 1) == drawn_conversion("x", one, 1)
    assert len({drawn_conversion(name, one, seed) for name in ("x", "y") for seed in (1, 2)}) == 4


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"launch\.impressions: got -1"):
        BudgetParams(-1, 5)


def test_interest_follows_category_partners_and_the_models_own_word() -> None:
    products = pl.DataFrame(
        {
            "product_id": ["butter", "jam", "new", "soap"],
            "category_path": ["FOOD > DAIRY", "FOOD > SPREADS", "FOOD > SPREADS", "HOME > SOAP"],
            "is_new": [False, False, True, False],
        }
    )
    pool = pl.DataFrame({"product_id": ["new"], "partner_id": ["butter"], "association": [3.0]})
    said = [("ann", "jam", 0.4), ("bob", "butter", 0.4), ("eve", "soap", 0.9), ("joe", "new", 0.1)]
    preferences = pl.DataFrame(said, schema=["customer_id", "product_id", "preference"], orient="row")
    visits = pl.DataFrame({"customer_id": ["ann", "bob", "eve", "joe"], "visits": [1.0, 2.0, 1.0, 1.0]})
    asked = interested(preferences, visits, products, pool, 9)
    interest = {asked.customer_ids[c]: v for c, v in zip(asked.customer, asked.interest, strict=True)}
    # Four readings, each with mean 1 over four customers: FOOD (ann, and bob who comes twice as often), SPREADS (ann),
    # partners (bob), own (joe).
    assert interest == pytest.approx({"ann": (4 / 3 + 4) / 4, "bob": (8 / 3 + 4) / 4, "joe": 4 / 4})
    assert len(interested(preferences, visits, products, pool, 1).product) == 1
