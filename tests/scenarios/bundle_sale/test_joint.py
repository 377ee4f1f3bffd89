"""How many baskets hold a bundle: by the preferences, in the data, and by whom."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.association.cooccurrence import CooccurrenceParams
from ml.scenarios.bundle_sale.candidates import Candidate, candidate_sets
from ml.scenarios.bundle_sale.joint import joint_demand, price_sensitive
from ml.scenarios.rules import Rules

AS_OF = date(2024, 3, 31)
NOBODY = pl.DataFrame(schema={"customer_id": pl.String})


def basket(number: int, customer: str | None, days: int, **units: int) -> dict[str, object]:
    return {
        "basket_id": f"b{number}",
        "customer_id": customer,
        "basket_on": AS_OF - timedelta(days=days),
        "product_ids": list(units),
        "quantities": list(units.values()),
        "paid_cents": [100 * n for n in units.values()],
        "is_giant": False,
    }


BASKETS = pl.DataFrame(
    [
        basket(1, "ann", 1, jam=2, tea=3),
        basket(2, "ann", 9, jam=1),
        basket(3, "bob", 2, tea=1),
        basket(4, None, 3, jam=1, tea=1),
        basket(5, "bob", 90, jam=1, tea=1),
    ]
)
PREFERENCES = pl.DataFrame(
    {
        "customer_id": ["ann", "ann", "bob", "bob"],
        "product_id": ["jam", "tea", "jam", "tea"],
        "preference": [0.5, 0.4, 0.2, 0.9],
        "basket_spread": [1.0, 1.0, 0.5, 0.5],
    }
)
PAIRS = pl.DataFrame(
    {
        "product_a": ["jam"],
        "product_b": ["tea"],
        "pair_baskets": [15],
        "expected_baskets": [5.0],
        "relation": ["complement"],
    }
)
TEA_AND_JAM = [Candidate(("jam", "tea"))]


def test_preferences_and_baskets_are_counted_apart() -> None:
    found = joint_demand(TEA_AND_JAM, PREFERENCES, PAIRS, BASKETS, NOBODY, AS_OF, CooccurrenceParams(shrinkage=5.0))
    # Lift (15 + 5) / (5 + 5) = 2: ann min(.5 x .4 x 2, .4) = .4 on two trips, bob .2 x .9 x .5 x 2 = .18 on one.
    assert found.expected[0] == pytest.approx(0.98)
    assert found.seen[0] == 2, "the basket of 90 days ago is too old"
    # Two bundles in the first and one in the fourth, with one basket of one bundle: 4 / 3.
    assert found.sets[0] == pytest.approx(4 / 3)
    assert found.missing[0].tolist() == [1, 1]


def test_the_sensitive_are_those_who_buy_at_a_discount_more_often_than_the_median() -> None:
    rows = [basket(n, f"c{n % 3}", n, tea=1) for n in range(60)]
    for n, row in enumerate(rows):
        row["paid_cents"] = [80 if n % 3 == 0 or (n % 3 == 1 and n < 30) else 100]
    days = pl.DataFrame({"product_id": "tea", "sold_on": [row["basket_on"] for row in rows], "price_cents": 100})
    sensitive = price_sensitive(pl.DataFrame(rows), days)
    assert sensitive["customer_id"].to_list() == ["c0"]
    both = pl.concat([PREFERENCES, PREFERENCES.head(2).with_columns(customer_id=pl.lit("c0"))])
    found = joint_demand(TEA_AND_JAM, both, PAIRS, pl.concat([BASKETS, pl.DataFrame(rows)]), sensitive, AS_OF,
                         CooccurrenceParams())  # fmt: skip
    assert 0 < found.sensitive_share[0] < 1


def test_a_triple_needs_all_its_products_among_the_candidates() -> None:
    found = joint_demand([Candidate(("jam", "rum", "tea"))], PREFERENCES, PAIRS, BASKETS, NOBODY, AS_OF,
                         CooccurrenceParams())  # fmt: skip
    assert found.expected[0] == 0 and found.missing[0].tolist() == [0, 2, 0]


SELLABLE = pl.DataFrame(
    {"product_id": ["jam", "rum", "tea"], "category": ["SPREAD", "DRINK", "DRINK"], "price_cents": [300, 900, 400]}
)
MADE = pl.DataFrame({"bundle_id": ["1", "2", "3"], "customer_id": ["ann", "bob", "eve"]})
ITEMS = pl.DataFrame({"bundle_id": ["1", "1", "2", "2", "3", "3"], "product_id": ["jam", "tea"] * 2 + ["rum", "tea"]})


def test_sets_of_many_customers_are_candidates_and_rivals_never_meet() -> None:
    found = candidate_sets(MADE, ITEMS, PAIRS, SELLABLE, Rules(), 3)
    assert found == [Candidate(("jam", "tea"), 2)], "rum and tea share a category"
    bought_apart = PAIRS.with_columns(relation=pl.lit("substitute"))
    assert candidate_sets(MADE, ITEMS, bought_apart, SELLABLE, Rules(), 3) == []
