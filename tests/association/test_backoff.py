"""What is said of pairs of new products: from planted categories, scaled, kept apart from what is counted."""

import numpy as np
import polars as pl
import pytest

from ml.association.backoff import LARGEST_LIFT, BackOff, fit_back_off, load_back_off
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.rehearsal import PARTS, Rehearsal, Scale, fitted_scale, without

RNG = np.random.default_rng(2)
SOLD = [f"{group}{k}" for group in ("bread", "butter", "soap") for k in range(8)]
"""Bread is bought with butter, soap alone; of each customer, all are bought equally often."""
PLAIN = {"category": Scale(0.0, 1.0, 0.0), "graph": Scale(0.0, 0.0, 1.0), "blend": Scale(0.0, 0.5, 0.5)}


def bought() -> pl.DataFrame:
    rows = []
    for k in range(900):
        number = RNG.integers(0, 8, 4)
        kinds = ["bread", "bread", "butter", "butter"] if k % 2 else ["soap"] * 4
        rows.append((f"u{k % 30}", sorted({f"{kind}{n}" for kind, n in zip(kinds, number, strict=True)})))
    return pl.DataFrame(rows, schema=["customer_id", "product_ids"], orient="row")


BASKETS = index_baskets(bought(), SOLD)


def catalogue(*new: tuple[str, str | None]) -> pl.DataFrame:
    """Return what is sold and new products, each with its category."""
    rows = [(name, name[:-1], f"all > {name[:-1]}") for name in SOLD]
    rows += [(name, kind, f"all > {kind}" if kind else None) for name, kind in new]
    frame = pl.DataFrame(rows, schema=["product_id", "category", "category_path"], orient="row").sort("product_id")
    return frame.with_columns(title=pl.lit(None, pl.String), brand=pl.lit(None, pl.String))


def counted() -> pl.DataFrame:
    return fit_cooccurrence(BASKETS, CooccurrenceParams()).frame()


def lifts(model: BackOff, shop: pl.DataFrame, *new: str) -> dict[tuple[str, str], float]:
    rows = model.frame(shop, pl.Series(new), counted())
    return {(a, b): lift for a, b, lift in rows.select("product_a", "product_b", "association").iter_rows()}


@pytest.mark.parametrize("reading", ["category", "graph", "blend"])
def test_a_new_product_goes_with_what_its_category_is_bought_with(reading: str) -> None:
    shop = catalogue(("new_bread", "bread"))
    model = fit_back_off(BASKETS, shop, reading, PLAIN, seed=1)
    found = lifts(model, shop, "new_bread")
    with_butter = np.mean([found[f"butter{k}", "new_bread"] for k in range(8)])
    with_soap = np.mean([found["new_bread", f"soap{k}"] for k in range(8)])
    assert with_butter > 1.2 > with_soap
    assert not any(other.startswith("bread") for pair in found for other in pair), "one bread may replace another"


def test_counted_pairs_keep_what_was_counted_and_nothing_is_claimed_to_be() -> None:
    shop = catalogue(("new_bread", "bread"))
    model = fit_back_off(BASKETS, shop, "category", PLAIN, seed=1)
    pairs = counted()
    rows = model.frame(shop, pl.Series(["new_bread", "bread0"]), pairs)
    assert rows.schema == pairs.schema
    assert rows.join(pairs, on=["product_a", "product_b"], how="semi").is_empty()
    assert rows["evidence"].unique().to_list() == ["category"]
    assert rows.select("pair_baskets", "expected_baskets", "lift", "lift_low", "lift_high").sum().row(0) == (0,) * 5
    assert rows["product_a"].to_list() < rows["product_b"].to_list()
    assert (rows["product_a"] < rows["product_b"]).all()


def test_what_was_registered_serves_products_launched_later_by_their_category() -> None:
    model = fit_back_off(BASKETS, catalogue(("new_bread", "bread")), "graph", PLAIN, seed=1)
    loaded = load_back_off(model.dump())
    assert loaded is not None
    shop = catalogue(("new_bread", "bread"), ("later_soap", "soap"), ("riddle", None))
    rows = loaded.frame(shop, pl.Series(["later_soap", "riddle", "new_bread"]), counted())
    told = {(a, b): how for a, b, how in rows.select("product_a", "product_b", "evidence").iter_rows()}
    assert told["butter0", "new_bread"] == "graph"
    assert told["butter0", "later_soap"] == "category"
    assert not any("riddle" in pair for pair in told), "of what has neither category nor embedding nothing is said"
    assert load_back_off({}) is None


def test_no_estimate_exceeds_the_largest_lift() -> None:
    steep = {name: Scale(9.0, 1.0, 1.0) for name in PARTS}
    shop = catalogue(("new_bread", "bread"))
    found = lifts(fit_back_off(BASKETS, shop, "category", steep, seed=1), shop, "new_bread")
    assert set(found.values()) == {LARGEST_LIFT}


def test_the_scale_is_found_again_where_counts_were_drawn_by_it() -> None:
    parts = RNG.normal(0, 0.5, (20_000, 2))
    expected = RNG.gamma(2, 2, 20_000)
    truth = Scale(-0.2, 0.8, 0.3)
    counts = RNG.poisson(expected * np.exp(truth.log_lift(parts))).astype(float)
    found = fitted_scale(parts, counts, expected, PARTS["blend"])
    assert (found.intercept, found.category, found.graph) == pytest.approx((-0.2, 0.8, 0.3), abs=0.03)
    alone = fitted_scale(parts, counts, expected, PARTS["category"])
    assert alone.graph == 0.0 and alone.category == pytest.approx(0.8, abs=0.03)


def test_a_reading_that_says_the_contrary_is_worth_nothing() -> None:
    parts = np.stack([RNG.normal(0, 1, 5000), np.zeros(5000)], axis=1)
    counts = RNG.poisson(5 * np.exp(-parts[:, 0])).astype(float)
    assert fitted_scale(parts, counts, np.full(5000, 5.0), PARTS["category"]).category == 0.0


def test_rehearsed_products_are_unknown_and_the_planted_categories_foretell_their_pairs() -> None:
    rehearsal = Rehearsal(BASKETS, catalogue(), seed=4)
    assert 0 < rehearsal.is_cold.sum() < len(SOLD)
    scale = rehearsal.scale("category")
    assert scale.category == pytest.approx(1.0, abs=0.3) and abs(scale.intercept) < 0.2
    cold = int(np.flatnonzero(rehearsal.is_cold)[0])
    kinds = [name[:-1] for name in SOLD]
    partner = {"bread": "butter", "butter": "bread", "soap": "soap"}[kinds[cold]]
    stranger = {"bread": "soap", "butter": "soap", "soap": "bread"}[kinds[cold]]
    others = np.array([kinds.index(partner) + 1, kinds.index(stranger) + 1])
    told = rehearsal.parts(np.array([cold, cold]), others)
    assert told[0, 0] > told[1, 0]


def test_a_basket_of_nothing_but_what_is_left_out_goes_too() -> None:
    frame = pl.DataFrame({"customer_id": ["x", "y"], "product_ids": [["a"], ["a", "b"]]})
    left = without(index_baskets(frame), np.array([True, False]))
    assert (left.starts.tolist(), left.items.tolist(), left.customers.tolist()) == ([0, 1], [1], [1])
    assert left.product_ids == ("a", "b")
