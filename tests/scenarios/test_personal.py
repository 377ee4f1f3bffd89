"""The published rows of one customer: prices, margin, identifiers, reasons, abstentions."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.optimizer.solve import Solution, abstain
from ml.params import RunParams
from ml.policies.shelf import Shelf
from ml.scenarios.personal import Facts, chosen_products, rows_of
from ml.scenarios.slates import Slate
from ml.tables import BUNDLE_ITEMS, BUNDLES
from tests.policies.shop import PAIRS, products

AS_OF = date(2017, 12, 3)
CANDIDATES = pl.DataFrame(
    {
        "customer_id": ["ann"] * 3,
        "product_id": ["jam", "bread", "butter"],
        "preference": [0.2, 0.5, 0.4],
        "sources": [["popular"], ["bought"], ["bought", "popular"]],
        "basket_spread": [1.0] * 3,
    }
)
BUNDLE = Solution((0, 1), 0.096, 0.096, 0.0, "optimal", 0.1)
PAIR = {"pair_baskets": 10, "lift": 1.25, "lift_low": 0.6, "lift_high": 2.3, "evidence": "counted"}


def facts(**changes: list[object]) -> Facts:
    rows = {row["product_id"]: row for row in products(**changes).iter_rows(named=True)}
    return Facts(AS_OF, rows, {("ann", "bread"): (12, 3)}, {("bread", "jam"): PAIR})


def slate(solutions: list[Solution]) -> Slate:
    (own,) = Slate.each(CANDIDATES, Shelf.of(products(), PAIRS))
    return own.with_solutions(solutions)


def rows(solutions: list[Solution], given: Facts | None = None):
    return rows_of(slate(solutions), given or facts(), RunParams(), "top_140")


def test_a_bundle_has_price_expected_revenue_certificate_and_reason() -> None:
    (bundle,), items = rows([BUNDLE])
    assert (bundle["bundle_rank"], bundle["bundle_size"], bundle["status"]) == (1, 2, "optimal")
    assert (bundle["list_price_cents"], bundle["bundle_price_cents"]) == (700, 700)
    assert bundle["expected_revenue_cents"] == pytest.approx(70.0)
    assert (bundle["objective"], bundle["upper_bound"], bundle["gap_pct"]) == (0.096, 0.096, 0.0)
    assert (bundle["candidate_set"], bundle["candidates"]) == ("top_140", 3)
    assert bundle["reason"] == (
        "Bread and Jam were bought together in 10 baskets, 1.2 times what the buyers' habits explain (0.6 to 2.3). "
        "Bread: in 12 baskets of this customer, last 3 days ago; "
        "Jam: never bought by this customer, proposed because popular in the last four weeks."
    )
    assert [(row["position"], row["product_id"], row["price_cents"]) for row in items] == [
        (1, "bread", 300),
        (2, "jam", 400),
    ]


def test_an_unknown_cost_leaves_the_margin_open_and_says_so() -> None:
    (bundle,), _ = rows([BUNDLE], facts(cost_cents=[100, None, None, None]))
    assert (bundle["margin_cents"], bundle["expected_margin_cents"]) == (None, None)
    assert bundle["margin_note"] == "cost unknown"


def test_the_margin_is_price_minus_costs() -> None:
    (bundle,), _ = rows([BUNDLE], facts(cost_cents=[100, 50, 250, None]))
    assert (bundle["margin_cents"], bundle["margin_note"]) == (350, None)
    assert bundle["expected_margin_cents"] == pytest.approx(35.0)


def test_the_same_bundle_has_the_same_identifier_and_another_has_another() -> None:
    again = Solution((1, 0), 0.05, 0.05, 0.0, "optimal", 0.05)
    other = Solution((1, 2), 0.05, 0.05, 0.0, "optimal", 0.05)
    (first,), _ = rows([BUNDLE])
    assert rows([again])[0][0]["bundle_id"] == first["bundle_id"]
    assert rows([other])[0][0]["bundle_id"] != first["bundle_id"]
    assert first["bundle_id"].startswith("20171203-ann-1-")


def test_bundles_are_ranked_and_items_point_to_them() -> None:
    second = Solution((2,), 0.01, 0.01, 0.0, "optimal", 0.01)
    bundles, items = rows([BUNDLE, second])
    assert [bundle["bundle_rank"] for bundle in bundles] == [1, 2]
    assert {item["bundle_id"] for item in items} == {bundle["bundle_id"] for bundle in bundles}


def test_an_abstention_is_one_row_with_its_reason_and_no_items() -> None:
    (row,), items = rows([abstain("below_threshold")])
    assert items == []
    assert (row["bundle_rank"], row["bundle_size"], row["status"]) == (0, 0, "abstained")
    assert (row["fallback_reason"], row["reason"]) == ("below_threshold", None)
    assert (row["bundle_price_cents"], row["expected_revenue_cents"]) == (0, 0.0)


def test_bundles_that_stock_assigned_name_that_solver_and_what_the_customer_lost() -> None:
    cut = replace(slate([BUNDLE, Solution((2,), 0.01, 0.01, 0.0, "optimal", 0.01)]), lost_to=("stock", "stock"))
    for assigned, solver in ((False, "greedy"), (True, "stock_coupled")):
        bundles, _ = rows_of(replace(cut, is_assigned=assigned), facts(), RunParams(solver="greedy"), "top_140")
        assert [(row["solver"], row["lost_to"]) for row in bundles] == [(solver, []), (solver, ["stock", "stock"])]
    (row,), _ = rows_of(
        replace(slate([abstain("no_stock_left", 0.1)]), lost_to=("stock",)), facts(), RunParams(), "top"
    )
    assert (row["fallback_reason"], row["lost_to"], row["upper_bound"]) == ("no_stock_left", ["stock"], 0.1)


def test_the_rows_fit_their_tables() -> None:
    bundles, items = rows([BUNDLE])
    bundles += rows([abstain("no_candidates")])[0]
    for table, found in ((BUNDLES, bundles), (BUNDLE_ITEMS, items)):
        schema = {name: kind for name, kind in table.columns.items() if name != "run_id"}
        assert table.conform(pl.DataFrame(found, schema=schema).with_columns(run_id=1)).height == len(found)


def test_a_product_without_a_title_is_named_by_its_category_or_itself() -> None:
    (bundle,), _ = rows([BUNDLE], facts(title=[None] * 4, category=["bakery", None, None, None]))
    assert "Bakery" in bundle["reason"] and "jam" in bundle["reason"]


def test_chosen_products_and_pairs_are_listed_once() -> None:
    items, pairs = chosen_products([slate([BUNDLE]), slate([abstain("no_candidates")])])
    assert items.rows() == [("ann", "bread"), ("ann", "jam")]
    assert pairs.rows() == [("bread", "jam")]
