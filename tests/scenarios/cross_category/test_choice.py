"""The best products and discounts: worked out by hand, and against trying everything."""

from itertools import product as every

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.demand.deal import NO_DEAL
from ml.params import RunParams
from ml.scenarios.cross_category.choice import Chosen, choose, options
from ml.scenarios.rules import Rules
from tests.scenarios.cross_category.situations import known, params, response, rule, rules


def chosen(rows: pl.DataFrame, asked: RunParams, of: Rules | None = None) -> Chosen:
    return choose(options(rows, of or Rules(), asked, NO_DEAL), of or Rules(), asked)


def picked(found: Chosen) -> dict[str, int]:
    return dict(found.rows.select("product_id", "promoted_price_cents").iter_rows())


def test_an_option_is_worth_its_extra_units_less_what_all_others_save() -> None:
    beside = {"taken_cents": 100.0, "pulled_cents": 50.0, "halo_cents": 30.0}
    rows = options(known(response("jam", elasticity=-1.0, **beside)), Rules(), params(max_discount_share=0.2), NO_DEAL)
    assert rows["promoted_price_cents"].to_list() == [800, 850, 900, 950]
    deepest = rows.row(0, named=True)
    # A fifth off sells a quarter more: 25 extra units at 8.00 less 2.00, less 2.00 on each of 100.
    assert deepest["expected_units"] == pytest.approx(125)
    assert deepest["discount_cost_cents"] == pytest.approx(125 * 200)
    assert deepest["substituted_margin_cents"] == pytest.approx(25 * 100)
    assert deepest["pulled_margin_cents"] == pytest.approx(25 * 50)
    assert deepest["halo_margin_cents"] == pytest.approx(25 * 30)
    assert deepest["margin_cents"] == pytest.approx(25 * 600 - 100 * 200 + 25 * (30 - 100 - 50))


def test_no_price_falls_below_the_margin_floor() -> None:
    rows = options(
        known(response("jam", cost=760.0)), Rules(), params(min_margin_share=0.1, max_discount_share=0.5), NO_DEAL
    )
    assert rows["promoted_price_cents"].min() == 850, "8.00 would leave 5 % over 7.60"


def test_no_more_is_expected_to_sell_than_stock_less_reserve() -> None:
    rows = known(response("jam", elasticity=-1.0, available_units=115))
    assert options(rows, Rules(), params(max_discount_share=0.2), NO_DEAL)["promoted_price_cents"].min() == 900
    assert options(rows, Rules(), params(max_discount_share=0.2, reserve_units=16), NO_DEAL).is_empty()


def test_a_price_floor_of_a_rule_holds() -> None:
    rows = options(
        known(response("jam")), rules(rule("price_floor", "jam", floor=880)), params(max_discount_share=0.3), NO_DEAL
    )
    assert rows["promoted_price_cents"].min() == 900


def test_products_of_two_categories_are_promoted_unless_one_is_asked_for() -> None:
    rows = known(response("jam"), response("honey", category="JAM", base_units=300.0), response("tea", elasticity=-1.3))
    assert set(picked(chosen(rows, params(promotion_products=2, promotion_budget_cents=10**9)))) == {"honey", "tea"}
    one = known(response("jam"), response("honey", category="JAM"))
    found = chosen(one, params(promotion_products=2, promotion_budget_cents=10**9))
    assert found.rows.is_empty() and found.fault is not None and found.fault.startswith("not possible")
    asked = params(promotion_products=2, promotion_budget_cents=10**9, promotion_categories=("JAM",))
    assert set(picked(chosen(one, asked))) == {"jam", "honey"}


def test_like_products_are_not_promoted_beside_each_other_where_categories_abound() -> None:
    best = [response(f"jam{n}", category="JAM", base_units=500.0) for n in range(3)]
    rows = known(*best, response("tea"), response("oil"), response("salt"))
    found = chosen(rows, params(promotion_products=4, promotion_budget_cents=10**9))
    assert found.rows["group"].is_unique().all() and found.rows.height == 4
    crowded = chosen(known(*best, response("tea")), params(promotion_products=4, promotion_budget_cents=10**9))
    assert crowded.rows["group"].value_counts()["count"].sort().to_list() == [1, 2], "two places for each of two"


def test_what_is_not_worth_it_is_not_promoted() -> None:
    found = chosen(known(response("jam", elasticity=-0.5), response("tea", elasticity=-0.5)), params())
    assert found.rows.is_empty() and found.objective == 0
    assert found.fault is not None and found.fault.startswith("not worth it")


def test_pins_are_promoted_at_a_loss_and_vetoes_of_the_budget_are_said() -> None:
    rows = known(response("jam"), response("tea"), response("salt", elasticity=-1.0))
    wide = params(promotion_budget_cents=10**9, promotion_products=2)
    pinned = rules(rule("pin", "salt"))
    assert "salt" in picked(chosen(rows, wide, pinned)) and "salt" not in picked(chosen(rows, wide))
    assert chosen(rows, wide, pinned).objective < chosen(rows, wide).objective
    poor = chosen(rows, params(promotion_budget_cents=10), pinned)
    assert poor.rows.is_empty() and poor.fault is not None and poor.fault.startswith("not possible")


def test_one_of_the_products_that_must_be_there_is_there() -> None:
    rows = known(response("jam"), response("tea"), response("salt", elasticity=-1.4), response("oil", elasticity=-1.2))
    wide = params(promotion_budget_cents=10**9, promotion_products=2)
    found = picked(chosen(rows, wide, rules(rule("must_include", "salt"), rule("must_include", "oil"))))
    assert len(found) == 2 and {"salt", "oil"} & set(found)


PRODUCT = st.tuples(
    st.sampled_from("AB"), st.floats(-5, -0.5), st.integers(20, 400), st.integers(100, 800), st.floats(0, 150)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PRODUCT, min_size=2, max_size=4), st.integers(0, 60_000), st.integers(2, 3), st.booleans())
def test_nothing_beats_what_is_chosen(
    drawn: list[tuple[str, float, int, int, float]], budget: int, most: int, is_pinned: bool
) -> None:
    rows = known(
        *(
            response(
                f"p{n}", category=category, elasticity=e, base_units=float(base), cost=float(cost), taken_cents=taken
            )
            for n, (category, e, base, cost, taken) in enumerate(drawn)
        )
    )
    asked = params(max_discount_share=0.15, promotion_budget_cents=budget, promotion_products=most)
    offered = options(rows, Rules(), asked, NO_DEAL)
    pinned = rules(rule("pin", "p0")) if is_pinned and "p0" in set(offered["product_id"]) else Rules()
    best = _best(offered, asked, pinned)
    found = choose(offered, pinned, asked) if offered.height else None
    value = found.objective if found else 0.0
    assert value == pytest.approx(max(best, 0.0), rel=1e-6, abs=1e-4)
    if found and found.rows.height:
        assert found.upper_bound >= found.objective and found.gap_pct <= 1e-4
        assert found.rows["discount_cost_cents"].sum() <= budget + 1e-5


def _best(offered: pl.DataFrame, asked: RunParams, of: Rules) -> float:
    """Return the best sum of margins, by trying every discount of every product."""
    groups = offered["group"].n_unique()
    if groups < 2:
        return 0.0
    quota = max(1, -(-asked.promotion_products // groups))
    best = float("-inf")
    parts = offered.partition_by("product_id", maintain_order=True)
    for choice in every(*([None, *part.iter_rows(named=True)] for part in parts)):
        rows = [row for row in choice if row is not None]
        held = [row["group"] for row in rows]
        if (
            len(rows) <= asked.promotion_products
            and len(set(held)) >= 2
            and max(held.count(group) for group in held) <= quota
            and sum(row["discount_cost_cents"] for row in rows) <= asked.promotion_budget_cents
            and set(of.pinned) <= {row["product_id"] for row in rows}
        ):
            best = max(best, sum(row["margin_cents"] for row in rows))
    return best
