"""Each business rule finds the one defect that is planted into a sound run, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.params import RunParams
from ml.publishing.audit import CandidateRun, business_rules
from ml.tables import BUNDLE_ITEMS, BUNDLES, CANDIDATES, PRODUCTS, Table

PARAMS = RunParams(bundle_size=3, bundles_per_customer=2, max_per_category=1, min_joint_probability=0.01)


def rows(table: Table, *some: dict[str, object]) -> pl.DataFrame:
    """Return typed rows; columns that are not named are null."""
    return pl.DataFrame(
        [{name: row.get(name) for name in table.columns} for row in some], schema=dict(table.columns), orient="row"
    )


def bundle(bundle_id: str, customer: str, rank: int, price: int, **more: object) -> dict[str, object]:
    return {
        "run_id": 7, "bundle_id": bundle_id, "customer_id": customer, "bundle_rank": rank, "bundle_size": 2,
        "policy": "expected_joint_purchase", "solver": "exact", "status": "optimal", "objective": 0.05,
        "upper_bound": 0.05, "gap_pct": 0.0, "joint_probability": 0.06,
        "list_price_cents": price, "bundle_price_cents": price, "reason": "bought together 12 times",
        **more,
    }  # fmt: skip


def item(bundle_id: str, position: int, product: str, cents: int) -> dict[str, object]:
    return {
        "run_id": 7, "bundle_id": bundle_id, "position": position, "product_id": product, "preference": 0.3,
        "list_price_cents": cents, "price_cents": cents, "sources": ["history"],
    }  # fmt: skip


def sound_run() -> CandidateRun:
    """Return a run without defects: ann has two bundles of two products, bob an abstention."""
    candidates = [("ann", product) for product in "ptsj"] + [("bob", "p")]
    return CandidateRun(
        bundles=rows(
            BUNDLES,
            bundle("ann-1", "ann", 1, 500),
            bundle("ann-2", "ann", 2, 300),
            bundle(
                "bob-0",
                "bob",
                0,
                0,
                status="abstained",
                bundle_size=0,
                reason=None,
                joint_probability=0.0,
                fallback_reason="one candidate only",
            ),
        ),
        items=rows(
            BUNDLE_ITEMS,
            item("ann-1", 1, "p", 200),
            item("ann-1", 2, "t", 300),
            item("ann-2", 1, "s", 200),
            item("ann-2", 2, "j", 100),
        ),
        candidates=rows(
            CANDIDATES,
            *({"run_id": 7, "customer_id": c, "product_id": p, "preference": 0.3} for c, p in candidates),
        ),
        products=rows(
            PRODUCTS,
            *(
                {"as_of": date(2017, 12, 3), "product_id": p, "category": category, "is_bundleable": True}
                for p, category in zip("ptsj", ["pasta", "sauce", "salt", "juice"], strict=True)
            ),
        ),
    )


def changed(part: str, where: pl.Expr, **values: object) -> Callable[[CandidateRun], CandidateRun]:
    """Return an edit that sets columns of one part's rows where the condition holds."""

    def edit(run: CandidateRun) -> CandidateRun:
        frame: pl.DataFrame = getattr(run, part)
        sets = [
            pl.when(where).then(pl.lit(value, dtype=frame.schema[name])).otherwise(pl.col(name)).alias(name)
            for name, value in values.items()
        ]
        return replace(run, **{part: frame.with_columns(sets)})

    return edit


def without(part: str, where: pl.Expr) -> Callable[[CandidateRun], CandidateRun]:
    """Return an edit that removes rows of one part."""
    return lambda run: replace(run, **{part: getattr(run, part).filter(~where)})


first, second = pl.col("bundle_id") == "ann-1", pl.col("bundle_id") == "ann-2"
bob = pl.col("bundle_id") == "bob-0"
pasta, tomato = pl.col("product_id") == "p", pl.col("product_id") == "t"

DEFECTS = {
    "run_was_made_as_asked": changed("bundles", first, solver="greedy"),
    "bundles_per_customer_are_ranked_within_the_limit": changed("bundles", second, bundle_rank=3),
    "bundle_size_is_kept": changed("bundles", first, bundle_size=4),
    "budget_is_kept": lambda run: run,
    "offered_bundle_reaches_the_threshold": changed("bundles", first, joint_probability=0.005),
    "optimal_means_the_bound_is_met": changed("bundles", first, upper_bound=0.06),
    "margin_floor_is_kept": lambda run: run,
    "bundle_spans_enough_categories": lambda run: run,
    "anchor_is_there": lambda run: run,
    "must_include_is_there": lambda run: run,
    "pinned_is_there": lambda run: run,
    "excluded_is_not_there": lambda run: run,
    "share_of_discovery_is_kept": changed("items", pl.lit(value=True), sources=["bought"]),
    "nothing_in_the_basket_is_offered_again": lambda run: run,
    "bundles_of_a_customer_overlap_within_the_limit": changed("items", pl.col("product_id") == "s", product_id="p"),
    "item_was_a_candidate": without("candidates", tomato),
    "category_quota_is_kept": changed("products", tomato, category="pasta"),
}


ASKED = {
    "budget_is_kept": {"budget_cents": 400},
    "margin_floor_is_kept": {"min_margin_cents": 1},
    "bundle_spans_enough_categories": {"min_categories": 3},
    "anchor_is_there": {"needs_anchor": True},
    "must_include_is_there": {"must_include": ("p",)},
    "pinned_is_there": {"pinned": ("s",)},
    "excluded_is_not_there": {"exclude": ("t",)},
    "share_of_discovery_is_kept": {"discovery_share": 0.1},
    "nothing_in_the_basket_is_offered_again": {"context_basket": ("t",)},
}
"""Rules that the sound run breaks as soon as the form asks for more."""


def test_a_sound_run_passes_every_rule() -> None:
    checks = business_rules(sound_run(), PARAMS)
    assert [check.name for check in checks if not check.is_passed] == []


def test_two_bundles_may_share_what_the_form_lets_them_share() -> None:
    run = DEFECTS["bundles_of_a_customer_overlap_within_the_limit"](sound_run())
    names = {check.name for check in business_rules(run, replace(PARAMS, max_overlap=1)) if not check.is_passed}
    assert "bundles_of_a_customer_overlap_within_the_limit" not in names


def test_the_assignment_of_stock_may_have_chosen_bundles_where_stock_is_shared() -> None:
    assigned = changed("bundles", first, solver="stock_coupled")(sound_run())
    for couples, failed in ((True, set()), (False, {"run_was_made_as_asked"})):
        checks = business_rules(assigned, replace(PARAMS, couples_stock=couples))
        assert {check.name for check in checks if not check.is_passed} == failed


def test_every_rule_has_a_planted_defect() -> None:
    assert {check.name for check in business_rules(sound_run(), PARAMS)} == set(DEFECTS)


@pytest.mark.parametrize("rule", DEFECTS)
def test_a_planted_defect_is_found_and_named(rule: str) -> None:
    params = replace(PARAMS, **ASKED.get(rule, {}))
    found = {check.name: check for check in business_rules(DEFECTS[rule](sound_run()), params)}
    assert found[rule].failures > 0
    assert found[rule].detail, "a failed check shows an example"


def test_products_without_a_category_have_no_quota() -> None:
    nameless = changed("products", pl.lit(value=True), category=None)(sound_run())
    assert all(check.is_passed for check in business_rules(nameless, PARAMS))


def test_an_abstention_is_held_to_no_size_price_or_threshold() -> None:
    bare = changed("bundles", bob, policy="none", solver="none", upper_bound=1.0)(sound_run())
    assert all(check.is_passed for check in business_rules(bare, PARAMS))
