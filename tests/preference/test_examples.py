"""Examples are candidates with the answer of their own request."""

from datetime import date

import polars as pl

from ml.preference.examples import label

EARLY, LATE = date(2017, 5, 1), date(2017, 6, 1)


def test_each_request_is_answered_by_its_own_basket() -> None:
    candidates = pl.DataFrame(
        {"customer_id": ["ann"] * 3, "cut": [LATE, EARLY, LATE], "product_id": ["b", "a", "a"]}
    )  # fmt: skip
    targets = pl.DataFrame({"customer_id": ["ann"] * 2, "cut": [EARLY, LATE], "product_ids": [["a"], ["b", "z"]]})
    made = label(candidates, targets)
    assert made["is_bought"].to_list() == [True, True, False]
    assert made.drop("is_bought").equals(candidates)
