"""Who is invited, for what, and how likely they come."""

import polars as pl
import pytest

from ml.demand.deal import NO_DEAL
from ml.demand.visits import expected_visits
from ml.scenarios.cross_category.choice import options
from ml.scenarios.cross_category.invitations import chances, invitations
from ml.scenarios.rules import Rules
from ml.tables import CUSTOMERS
from tests.scenarios.cross_category.situations import AS_OF, known, params, response


def people(**gaps: tuple[float | None, int | None]) -> pl.DataFrame:
    """Return customers with their usual gap and the days since the last basket."""
    rows = [
        dict.fromkeys(CUSTOMERS.columns)
        | {"customer_id": name, "mean_gap_days": gap, "days_since_last": days, "as_of": AS_OF, "baskets": 1}
        for name, (gap, days) in gaps.items()
    ]
    return pl.DataFrame(rows, schema=dict(CUSTOMERS.columns))


def promoted(elasticity: float = -1.0) -> pl.DataFrame:
    """Return jam and tea at half price."""
    rows = known(response("jam", elasticity=elasticity), response("tea", elasticity=elasticity, units_per_basket=2.0))
    return options(rows, Rules(), params(max_discount_share=0.5), NO_DEAL).filter(pl.col("promoted_price_cents") == 500)


def liked(*rows: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["customer_id", "product_id", "preference"], orient="row")


def test_who_has_not_come_for_long_is_expected_less() -> None:
    found = expected_visits(people(ann=(7.0, 1), bob=(7.0, 70), eve=(None, None), joe=(0.5, 0)), 14)
    assert dict(found.iter_rows()) == pytest.approx({"ann": 2.0, "bob": 0.2, "eve": 2.0, "joe": 14.0})


def test_chance_and_margin_follow_from_preference_price_and_visits() -> None:
    found = chances(
        liked(("ann", "tea", 0.2), ("ann", "salt", 0.9)), promoted(), expected_visits(people(ann=(7.0, 1)), 14)
    )
    (row,) = found.iter_rows(named=True)
    assert row["product_id"] == "tea", "salt is not promoted"
    # Half price doubles P to .4, over two visits; two units each: .4 more at 5.00 less 2.00, .4 as usual at 5.00 less.
    assert row["chance"] == pytest.approx(1 - 0.8**2), "at the list price: a discount sells more to those who come"
    assert row["margin_cents"] == pytest.approx(2 * (0.4 * 300 - 0.4 * 500))


def test_a_price_cannot_make_sure_buyers_surer() -> None:
    found = chances(liked(("ann", "tea", 0.9)), promoted(-2.0), expected_visits(people(ann=(7.0, 1)), 7))
    assert found["margin_cents"].item() == pytest.approx(2 * (0.1 * 300 - 0.9 * 500))


def test_those_who_add_most_are_invited_and_nobody_who_adds_nothing() -> None:
    cheap = promoted(-2.0)
    candidates = liked(
        ("ann", "jam", 0.1), ("ann", "tea", 0.2), ("bob", "tea", 0.1), ("eve", "tea", 0.95), ("joe", "jam", 0.01)
    )
    customers = people(ann=(7.0, 1), bob=(7.0, 1), eve=(7.0, 1), joe=(7.0, 1))
    found = invitations(candidates, cheap, customers, params(promotion_audience=2, promotion_days=7))
    assert found.select("invitation_rank", "customer_id").rows() == [(1, "ann"), (2, "bob")]
    assert found["product_ids"].to_list() == [["tea", "jam"], ["tea"]]
    assert found["probability"][0] == pytest.approx(1 - (1 - 0.2) * (1 - 0.1))
    everybody = invitations(candidates, cheap, customers, params(promotion_audience=9, promotion_days=7))
    assert everybody["customer_id"].to_list() == ["ann", "bob", "joe"], "eve would have bought anyway"


def test_an_invitation_mentions_few_products() -> None:
    names = [f"p{n}" for n in range(6)]
    rows = known(*(response(name, elasticity=-2.0) for name in names))
    cheap = options(rows, Rules(), params(), NO_DEAL).unique("product_id", keep="first", maintain_order=True)
    candidates = liked(*(("ann", name, 0.05 * (n + 1)) for n, name in enumerate(names)))
    found = invitations(candidates, cheap, people(ann=(7.0, 1)), params())
    assert found["product_ids"].to_list() == [["p5", "p4", "p3"]]
