"""The shop's own bundles: each has a rank or a reason for each customer, and none of them changes what is searched."""

import numpy as np
import polars as pl
import pytest

from ml.optimizer.limits import Limits
from ml.scenarios.given import beside, given_bundles, given_products, given_rows, without_given
from ml.scenarios.slates import Desk, Slate
from ml.tables import GIVEN_BUNDLE_RANKS, GIVEN_CANDIDATES
from tests.scenarios.shop import customers, desk

NAMES = [f"p{number:02d}" for number in range(12)]

NO_MORE = GIVEN_CANDIDATES.frame([])


def held(shop: Desk, slate: Slate) -> list[str]:
    """Return the products that are candidates of a customer."""
    return sorted(shop.shelf.product_ids[code] for code in slate.codes)


def table(**bundles: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "given_bundle_id": list(bundles),
            "product_ids": list(bundles.values()),
            "bundle_size": [len(own) for own in bundles.values()],
        },
        schema={"given_bundle_id": pl.String, "product_ids": pl.List(pl.String), "bundle_size": pl.Int32},
    )


def test_every_given_bundle_has_a_rank_and_value_or_a_reason() -> None:
    rng = np.random.default_rng(3)
    shop = desk(rng, Limits(max_size=3, cost_per_product=0.01))
    (slate,) = customers(rng, shop, 1, candidates=9)
    own = held(shop, slate)
    (other, *_) = sorted(set(NAMES) - set(own))
    bundles = {f"pair {n}": own[n : n + 2] for n in range(8)} | {f"three {n}": own[n : n + 3] for n in range(7)}
    odd = {"large": own[:4], "other": [own[0], other], "single": own[:1], "unknown": ["p77", own[0], "p78"]}
    given = given_bundles(table(**bundles, **odd), shop)
    rows = {row["given_bundle_id"]: row for row in given_rows(slate, NO_MORE, given, shop)}
    assert set(rows) == {*bundles, *odd}
    problem = slate.problem(shop)
    value = {name: problem.value(slate.positions(pair) or ()) for name, pair in bundles.items()}
    ranked = sorted((name for name in bundles if value[name] > 0), key=lambda name: (-value[name], name))
    assert 3 < len(ranked) < len(bundles)
    for rank, name in enumerate(ranked, start=1):
        assert rows[name]["bundle_rank"] == rank
        assert rows[name]["objective"] == pytest.approx(value[name])
        joint = problem.joint_probability(slate.positions(bundles[name]) or ())
        assert rows[name]["joint_probability"] == pytest.approx(joint)
        assert rows[name]["unranked_reason"] is None
    reasons = {name: row["unranked_reason"] for name, row in rows.items() if row["bundle_rank"] is None}
    assert reasons == {
        **dict.fromkeys(sorted(set(bundles) - set(ranked)), "not_worth_showing"),
        "large": "too_many_products",
        "other": f"not_a_candidate:{other}",
        "single": "infeasible:size",
        "unknown": "not_offered:p77+p78",
    }
    assert [name for name, row in rows.items() if row["list_price_cents"] is None] == ["unknown"]
    frame = GIVEN_BUNDLE_RANKS.frame(list(rows.values()))
    assert GIVEN_BUNDLE_RANKS.conform(frame.with_columns(run_id=1)).height == len(rows)


def test_a_given_bundle_says_which_constraints_it_breaks() -> None:
    rng = np.random.default_rng(4)
    shop = desk(rng, Limits(budget_cents=100), available_units=[0, 9, *[None] * 10])
    (slate,) = customers(rng, shop, 1, candidates=12)
    (row,) = given_rows(slate, NO_MORE, given_bundles(table(soup=["p00", "p01"]), shop), shop)
    assert row["unranked_reason"] == "infeasible:budget+stock"
    assert row["objective"] is row["joint_probability"] is None


def test_products_beside_the_candidates_make_a_given_bundle_comparable() -> None:
    rng = np.random.default_rng(5)
    shop = desk(rng, Limits(max_size=2, needs_anchor=True))
    (slate,) = customers(rng, shop, 1, candidates=6)
    one, other = sorted(set(NAMES) - set(held(shop, slate)))[:2]
    given = given_bundles(table(both=[one, other]), shop)
    assert given_rows(slate, NO_MORE, given, shop)[0]["unranked_reason"] == f"not_a_candidate:{one}+{other}"
    for sources, is_allowed in ((["asked"], False), (["bought", "asked"], True)):
        more = pl.DataFrame(
            {"customer_id": "c000", "product_id": [one, other], "preference": [0.5, 0.4], "sources": [["new"], sources]}
        )
        (row,) = given_rows(slate, more, given, shop)
        alone = shop.shelf.problem(
            shop.policy, shop.shelf.codes(more["product_id"]), np.array([0.5, 0.4]), shop.limits, spread=slate.spread
        )
        assert row["objective"] == (pytest.approx(alone.value((0, 1))) if is_allowed else None)
        assert (row["unranked_reason"] == "infeasible:anchor") != is_allowed


def test_only_bundles_that_somebody_can_have_are_scored() -> None:
    given = table(a=["p1", "p2"], b=["p2", "p3"], gone=["p4", "p9"], large=["p5", "p6", "p7"])
    offered = pl.Series([f"p{n}" for n in range(1, 8)])
    assert given_products(given, offered, 2)["product_id"].to_list() == ["p1", "p2", "p3"]
    assert given_products(table(), offered, 2).is_empty()


def test_given_products_leave_the_candidates_as_they_are() -> None:
    scored = pl.DataFrame(
        [
            ("ann", "popular", ["popular", "asked"], 0.5),
            ("ann", "formed", ["asked"], 0.1),
            ("ann", "given", ["asked"], 0.9),
            ("bob", "formed", ["bought", "asked"], 0.2),
            ("bob", "popular", ["popular", "asked"], 0.3),
            ("bob", "given", ["asked"], 0.8),
        ],
        schema=["customer_id", "product_id", "sources", "preference"],
        orient="row",
    )
    asked = pl.DataFrame({"customer_id": ["ann", "bob"], "product_id": ["formed", "formed"]})
    kept = without_given(scored, asked).sort("customer_id", "product_id")
    assert kept.select("customer_id", "product_id", "sources", "is_asked").rows() == [
        ("ann", "formed", ["asked"], True),
        ("ann", "popular", ["popular"], False),
        ("bob", "formed", ["bought", "asked"], True),
        ("bob", "popular", ["popular"], False),
    ]
    given = pl.DataFrame({"product_id": ["given", "popular"]})
    rows = beside(scored, kept.filter(pl.col("product_id") == "formed"), given, 1)
    assert rows.rows() == [("ann", "given", 0.9, ["asked"]), ("bob", "given", 0.8, ["asked"])]
    assert beside(scored, kept, given, 9)["product_id"].to_list() == ["given", "given"]
    assert GIVEN_CANDIDATES.conform(rows.with_columns(run_id=1)).height == 2
