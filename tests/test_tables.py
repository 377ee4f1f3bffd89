"""Tables are contracts: a frame that differs is refused."""

import polars as pl
import pytest

from ml.errors import ColumnError
from ml.sources.contract import VECTORS
from ml.tables import BUNDLES, CATALOGUE_GAPS, PRODUCT_FACTS, PRODUCTS, WHY_NOT, Table


def frame(**changed: object) -> pl.DataFrame:
    row = {"run_id": 1, "customer_id": "a", "objective": 0.5, "catalogue_bound": 0.5, "gap_pct": 0.0}
    return pl.DataFrame([{**row, "catalogue_products": 9, **changed}])


def test_a_right_frame_is_cast_and_ordered() -> None:
    shuffled = frame().select(sorted(frame().columns))
    assert CATALOGUE_GAPS.conform(shuffled).schema == pl.Schema(dict(CATALOGUE_GAPS.columns))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (frame().drop("gap_pct"), "gap_pct"),
        (frame().with_columns(extra=1), "extra"),
        (frame(objective=float("nan")), "NaN"),
        (frame(objective=float("inf")), "NaN or infinite"),
        (frame(customer_id=None), "null"),
        (frame(catalogue_products=2**40), "catalogue_gaps"),
        (pl.concat([frame(), frame()]), "not unique"),
    ],
)
def test_a_wrong_frame_is_refused_with_the_reason(bad: pl.DataFrame, message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        CATALOGUE_GAPS.conform(bad)


def test_optional_columns_may_be_null() -> None:
    table = Table("ml", "notes", {"run_id": pl.Int64, "note": pl.String}, ("run_id",), frozenset({"note"}))
    assert table.conform(pl.DataFrame({"run_id": [1], "note": [None]})).height == 1


def test_a_bundle_need_not_be_held_back_but_says_whether_it_is_kept() -> None:
    assert "held_back_by" in BUNDLES.optional
    assert "is_kept" not in BUNDLES.optional and "lost_to" not in BUNDLES.optional


def test_an_answer_about_products_that_no_bundle_can_hold_conforms() -> None:
    row = {"run_id": 1, "customer_id": "ann", "product_key": "jam + tea", "product_ids": ["jam", "tea"]}
    answer = {"verdict": "not_a_candidate", "best_objective": 0.2, "binding": [], "detail": "tea was no candidate"}
    unknown = dict.fromkeys(("bundle_rank", "objective", "cost_of_forcing"))
    conformed = WHY_NOT.conform(pl.DataFrame([{**row, **answer, **unknown}]))
    assert conformed.schema == pl.Schema(dict(WHY_NOT.columns))
    assert conformed["binding"].to_list() == [[]]


def test_the_facts_of_products_are_all_columns_but_the_vectors_of_the_contract() -> None:
    assert set(PRODUCTS.columns) - set(PRODUCT_FACTS) == set(VECTORS)
    assert {"promotion_sizes", "review_stars", "promotion_starts_on", "as_of"} <= set(PRODUCT_FACTS)
