"""The closed form is the ridge regression of each product on all others."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge

from ml.association import regression
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.regression import PENALTY_SHARE, SIZE_POWER, BasketRegression


def baskets_of(*held: str, products: str | None = None) -> IndexedBaskets:
    frame = pl.DataFrame(
        {"customer_id": ["x"] * len(held), "product_ids": [list(one) for one in held]},
        schema={"customer_id": pl.String, "product_ids": pl.List(pl.String)},
    )
    return index_baskets(frame, list(products) if products else None)


def test_weights_are_those_of_a_ridge_regression_of_each_product_on_the_others() -> None:
    rng = np.random.default_rng(0)
    held = ["".join(c for c in "abcde" if rng.random() < 0.5) or "a" for _ in range(40)]
    found = BasketRegression(baskets_of(*held))
    x = np.array([[float(c in one) * len(one) ** -SIZE_POWER for c in "abcde"] for one in held])
    penalty = PENALTY_SHARE * (x**2).sum(axis=0).mean()
    for j in range(5):
        others = np.delete(np.arange(5), j)
        expected = Ridge(penalty, fit_intercept=False).fit(x[:, others], x[:, j]).coef_
        scores = [found.summed(np.array([i]))[j] for i in others]
        assert scores == pytest.approx(expected, abs=1e-4)


def test_what_always_comes_along_is_explained_away() -> None:
    # c follows a; b is only a's companion, so that it says less about c than its co-purchases make believe.
    found = BasketRegression(baskets_of(*["abc"] * 30, *["ac"] * 30, *["ab"] * 3, *["b"] * 30, *["d"] * 10))
    a, b, c = 0, 1, 2
    assert found.summed(np.array([a]))[c] > 4 * found.summed(np.array([b]))[c]
    assert found.between(np.array([a]), np.array([c])) == pytest.approx(
        (found.summed(np.array([a]))[c] + found.summed(np.array([c]))[a]) / 2
    )


def test_products_never_bought_or_beyond_the_most_score_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    baskets = baskets_of("ab", "ab", "ab", "abc", products="abcn")
    scores = BasketRegression(baskets).summed(np.array([0, 3]))
    assert scores[3] == 0.0 and scores[1] > 0 and scores[2] > 0
    monkeypatch.setattr(regression, "MOST_PRODUCTS", 2)
    few = BasketRegression(baskets)
    assert few.summed(np.array([0]))[2] == 0.0 and few.summed(np.array([0]))[1] > 0
    assert few.between(np.array([2, 0]), np.array([0, 3])).tolist() == [0.0, 0.0]
    assert not BasketRegression(baskets_of(products="ab")).summed(np.array([0])).any()
