"""The parts of a policy: P of any model, found in blocks and for what is asked alone."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.candidates import whole_catalogue
from ml.trials import bundle_generation, parts
from ml.trials.outcome import Wishes
from ml.trials.parts import Preferences
from ml.trials.shop import baskets_of, products_of
from tests.trials.folders import SETTINGS, read, write, write_catalogue, write_habits, write_orders

CUT = date(2020, 7, 1)


def test_a_ranker_looks_at_what_is_asked_alone_and_says_what_it_says_of_the_whole_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = write_habits(tmp_path)
    write_catalogue(tmp_path, [*names, *(f"{one}{n}" for one in names for n in range(4))])
    baskets, products = baskets_of(read(tmp_path)), products_of(read(tmp_path))
    few = SETTINGS.model_copy(update={"preference": SETTINGS.preference.model_copy(update={"trees": 5})})
    liked = Preferences("ranker", baskets, products, CUT, 0, few)
    customers, asked = pl.Series(["c0", "c5", None], dtype=pl.String), pl.Series(["a", "f", "b3"])
    requests = pl.DataFrame({"customer_id": ["c0", "c5"], "cut": [CUT] * 2})
    whole = whole_catalogue(baskets, products, requests)
    told = whole.with_columns(p=liked._model.score(baskets, products, whole)).filter(pl.col("product_id").is_in(asked))
    by_pair = {(who, one): p for who, one, p in told.select("customer_id", "product_id", "p").iter_rows()}
    wanted = [[by_pair[who, one] for one in asked] for who in ("c0", "c5")]
    made, propose = [], parts.propose

    def counted(*asked: pl.DataFrame, **more: pl.DataFrame) -> pl.DataFrame:
        made.append(propose(*asked, **more))
        return made[-1]

    monkeypatch.setattr(parts, "propose", counted)
    found = liked.of(customers, asked)
    assert found[:2] == pytest.approx(np.array(wanted)) and np.isfinite(found[2]).all()
    assert [one.height for one in made] == [2 * 21], "of 100 products the 20 that are sold, and the one asked for"
    monkeypatch.setattr(parts, "BLOCK_ROWS", 1)
    assert np.array_equal(liked.of(customers, asked), found)
    assert [one.height for one in made[1:]] == [21, 21, 0], "one customer at a time"


@pytest.mark.parametrize("preference", ["personal_decayed", "tifu_knn"])
def test_what_customers_of_sessions_like_is_found_once_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preference: str
) -> None:
    write_catalogue(tmp_path, "abcd")
    write_orders(
        tmp_path, [(who, f"2020-01-0{day}", held) for day in (1, 2) for who, held in (("x", "ab"), ("y", "cd"))]
    )
    seen = [("s1", "x", "abc"), ("s2", "y", "acd"), ("s3", "", "ab"), ("s4", "x", "bc")]
    rows = [f"{name}{one},{name},{who},{one}" for name, who, held in seen for one in held]
    write(tmp_path, "events", "event_id,session_id,customer_id,product_id", rows)
    asked: list[pl.DataFrame] = []
    each = Preferences.each
    monkeypatch.setattr(Preferences, "each", lambda self, rows: asked.append(rows) or each(self, rows))
    wishes = Wishes(preference=preference)
    found = bundle_generation.run(read(tmp_path), None, "expected_joint_purchase", 0, SETTINGS, wishes)
    (once,) = asked
    assert once.rows() == [
        (None, "a"), (None, "b"), *(("x", one) for one in "abc"), *(("y", one) for one in "acd")
    ]  # fmt: skip
    groups = found.predictions.filter(question_id="s2", bundle_number=1)["product_id"].sort().to_list()
    assert groups == ["c", "d"], "what y buys together"
