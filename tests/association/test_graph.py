"""Embeddings over the graph: gradients by finite differences, planted groups, products without sales."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from ml.association.attributes import node_attributes
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.graph import GraphEmbedding, GraphParams, _graph, propagated, softmax_loss
from ml.errors import ConfigError, DataError

PARAMS = GraphParams(dimensions=8, steps=60, batch=256, min_pair_baskets=1)
PRODUCTS = [f"{group}{k}" for group in "ab" for k in range(6)]
COLD = {"a5", "b5"}


def planted() -> IndexedBaskets:
    """Return baskets within group a or within group b; the last product of each is never sold."""
    rng = np.random.default_rng(0)
    baskets = [[f"{'ab'[k % 2]}{i}" for i in rng.choice(5, 3, replace=False)] for k in range(200)]
    frame = pl.DataFrame({"customer_id": [f"c{k % 20}" for k in range(200)], "product_ids": baskets})
    return index_baskets(frame, PRODUCTS)


def catalogue(**columns: object) -> pl.DataFrame:
    empty = {name: pl.Series([None] * len(PRODUCTS), dtype=pl.String) for name in ("title", "category_path", "brand")}
    return pl.DataFrame({"product_id": PRODUCTS, **empty, **columns})


def test_the_gradient_is_that_of_finite_differences_through_the_propagation() -> None:
    rng = np.random.default_rng(0)
    baskets = planted()
    graph = _graph(baskets, 1, 20).astype(np.float64)
    own = rng.normal(size=(graph.shape[0], 3))
    first, second = rng.integers(0, 10, 12), rng.integers(0, 10, 12)
    first = np.where(first == second, (first + 1) % 10, first)
    n = len(PRODUCTS)

    def loss(at: np.ndarray) -> float:
        return softmax_loss(propagated(graph, at, 2)[:n], first, second)[0]

    slope = softmax_loss(propagated(graph, own, 2)[:n], first, second)[1]
    found = propagated(graph, np.concatenate([slope, np.zeros((graph.shape[0] - n, 3))]), 2)
    for row, column in ((0, 0), (7, 2), (n + 3, 1)):
        moved = np.zeros_like(own)
        moved[row, column] = 1e-5
        assert found[row, column] == pytest.approx((loss(own + moved) - loss(own - moved)) / 2e-5, abs=1e-6)


def test_the_loss_of_two_pairs_worked_by_hand() -> None:
    # Scores: pair 1 has 2 for its own second and 0 for the other's; pair 2 likewise.
    final = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 1.0]])
    loss, _ = softmax_loss(final, np.array([0, 1]), np.array([2, 3]))
    assert loss == pytest.approx(np.log(1 + np.exp(-2)))


def test_each_entry_of_the_graph_is_one_over_the_root_of_both_degrees() -> None:
    frame = pl.DataFrame({"customer_id": ["x"], "product_ids": [["a", "b"]]})
    graph = _graph(index_baskets(frame, ["a", "b", "new"]), 1, 1).toarray()
    third = 1 / 3  # a, b and x are all tied to each other and to themselves
    assert graph == pytest.approx(
        np.array([[third, third, 0, third], [third, third, 0, third], [0, 0, 1, 0], [third, third, 0, third]])
    )


def test_products_of_one_group_go_together_and_the_same_seed_gives_the_same() -> None:
    attributes, _ = node_attributes(catalogue())
    fitted, again = (GraphEmbedding(planted(), attributes, PARAMS, 1) for _ in range(2))
    lift = fitted.between(np.array([0, 0]), np.array([1, 7]))
    assert lift[0] > 3 * lift[1]
    assert (lift == again.between(np.array([0, 0]), np.array([1, 7]))).all()
    assert fitted.curve[-1][2] < fitted.curve[0][2]
    summed = fitted.summed(np.array([0, 1]))
    assert summed[2] == pytest.approx(fitted.between(np.array([2, 2]), np.array([0, 1])).sum())


def test_baskets_that_choose_the_number_of_steps_are_no_edges_while_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def noted(baskets: IndexedBaskets, least: int, customers: int) -> sparse.csr_matrix:
        seen.append(baskets.baskets_total)
        return _graph(baskets, least, customers)

    monkeypatch.setattr("ml.association.graph._graph", noted)
    GraphEmbedding(planted(), node_attributes(catalogue())[0], PARAMS, 1)
    learned, whole = seen
    assert whole == planted().baskets_total
    assert 0.8 * whole < learned < 0.97 * whole


def test_what_is_not_in_the_graph_is_placed_like_what_is_there_without_sales() -> None:
    attributes, _ = node_attributes(catalogue(category_path=[one[0] for one in PRODUCTS]))
    fitted = GraphEmbedding(planted(), attributes, PARAMS, 1)
    assert fitted.of_attributes(attributes[5:6]) == pytest.approx(fitted.unit[5:6], abs=1e-5)


def test_a_product_without_sales_is_placed_by_its_category() -> None:
    paths = catalogue(category_path=[one[0] for one in PRODUCTS])
    fitted = GraphEmbedding(planted(), node_attributes(paths)[0], PARAMS, 1)
    with_a, with_b = fitted.between(np.array([5, 5]), np.array([0, 6]))
    assert with_a > 2 * with_b


def test_a_planted_vector_changes_what_is_known_of_a_product_without_sales() -> None:
    vectors = [[1.0, 0.1 * k] if group == "a" else [-1.0, 0.1 * k] for group in "ab" for k in range(6)]
    plain = GraphEmbedding(planted(), node_attributes(catalogue())[0], PARAMS, 1)
    attributes, kinds = node_attributes(catalogue(image_vector=vectors))
    fitted = GraphEmbedding(planted(), attributes, PARAMS, 1)
    pairs = np.array([5, 5]), np.array([0, 6])
    assert kinds == ("image_vector",)
    assert plain.between(*pairs) == pytest.approx([1.0, 1.0])
    with_a, with_b = fitted.between(*pairs)
    assert with_a > 2 * with_b


def test_vectors_of_another_length_than_most_are_unknown_and_the_log_says_how_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    usual: list[list[float] | None] = [[1.0, 2.0], [3.0, 1.0], [0.0, 5.0], None, []]
    odd = [[1.0, 2.0, 3.0], [4.0]]
    none: list[list[float] | None] = [None] * 5
    rows, _ = node_attributes(catalogue(image_vector=[*usual, *odd, *none]))
    assert (rows != node_attributes(catalogue(image_vector=[*usual, None, None, *none]))[0]).nnz == 0
    assert caplog.messages == ["image_vector: 2 vectors left out: most have 2 numbers and these have not"]
    tied, _ = node_attributes(
        catalogue(image_vector=[[1.0, 2.0, 3.0], [4.0, 0, 0], *usual[:2], *none, None, None, None])
    )
    assert tied.shape[1] == 2 and tied[:2].nnz == 0


def test_vectors_without_a_number_are_refused() -> None:
    ten: list[list[float] | None] = [None] * 10
    with pytest.raises(DataError, match="image_vector: 1 vectors hold no finite number"):
        node_attributes(catalogue(image_vector=[*ten, [1.0], [float("nan")]]))


def test_attributes_have_rows_of_length_one_by_kind() -> None:
    known: list[str | None] = [None] * 11
    rows, kinds = node_attributes(catalogue(brand=["x", *known], category_path=["p > q", *known]))
    assert kinds == ("category", "brand")
    assert sparse.linalg.norm(rows, axis=1).tolist() == pytest.approx([2**0.5, *[0.0] * 11])


def test_no_basket_leaves_the_attributes_as_they_are_and_params_check_themselves() -> None:
    nobody = pl.DataFrame(schema={"customer_id": pl.String, "product_ids": pl.List(pl.String)})
    fitted = GraphEmbedding(index_baskets(nobody, PRODUCTS), node_attributes(catalogue())[0], PARAMS, 1)
    assert fitted.curve == [] and np.isfinite(fitted.summed(np.array([0]))).all()
    with pytest.raises(ConfigError, match="graph layers: got 0"):
        GraphParams(layers=0)
