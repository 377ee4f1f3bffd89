"""Candidates: who proposes what, from the past only, enough for each customer."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.candidates import SCHEMA, CandidateParams, propose, whole_catalogue
from ml.errors import ConfigError
from ml.spread import SPREAD_BASKETS

DAY = date(2017, 6, 1)


def basket(customer: str | None, days_ago: int, products: list[str]) -> dict[str, object]:
    on = DAY - timedelta(days=days_ago)
    return {"basket_id": f"{customer}{on}{products}", "customer_id": customer, "basket_on": on,
            "product_ids": products, "is_giant": False}  # fmt: skip


def catalogue(names: str, **columns: list[object]) -> pl.DataFrame:
    made = pl.DataFrame({"product_id": list(names)}).with_columns(
        is_bundleable=True, category=pl.lit(None, pl.String), launched_on=pl.lit(None, pl.Date)
    )
    return made.with_columns(pl.Series(name, values) for name, values in columns.items())


def requests(*customers: str, cut: date = DAY) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": list(customers)}).with_columns(cut=pl.lit(cut))


BASKETS = pl.DataFrame(
    [
        basket("ann", 90, ["a", "b"]),
        basket("ann", 60, ["a"]),
        *(basket(None, 50, ["a", "c"]) for _ in range(4)),
        *(basket(None, 5, ["d"]) for _ in range(9)),
        basket("bob", 0, ["e"]),
    ]
)
NARROW = CandidateParams(popular=1, co_purchased=1, categories=0, new=0)


def sources(frame: pl.DataFrame, customer: str) -> dict[str, list[str]]:
    one = frame.filter(pl.col("customer_id") == customer)
    return dict(zip(one["product_id"], one["sources"].to_list(), strict=True))


def test_each_source_proposes_what_it_stands_for() -> None:
    assert sources(propose(BASKETS, catalogue("abcde"), requests("ann"), NARROW), "ann") == {
        "a": ["bought"],
        "b": ["bought"],
        "c": ["co_purchased"],
        "d": ["popular"],
    }


def test_spread_is_that_of_the_customers_own_basket_sizes_where_there_are_enough() -> None:
    sizes = [1, 3]
    shop = pl.DataFrame(
        [
            *(basket("ann", 10 + k, list("abc")[: sizes[k % 2]]) for k in range(8)),
            *(basket("bob", 10 + k, ["a", "b"]) for k in range(2)),
            {**basket("ann", 30, list("abcde")), "is_giant": True},
        ]
    )
    made = propose(shop, catalogue("abcde"), requests("ann", "bob", "eve"), CandidateParams())
    found = dict(made.select("customer_id", "basket_spread").unique().iter_rows())
    ann, bob = (6 / 2) / 2**2, 2 / 2**2  # mean of s (s - 1) over the square of the mean of s
    usual = (8 * ann + 2 * bob) / 10
    assert found["ann"] == pytest.approx((8 * ann + SPREAD_BASKETS * usual) / (8 + SPREAD_BASKETS))
    assert found["bob"] == pytest.approx((2 * bob + SPREAD_BASKETS * usual) / (2 + SPREAD_BASKETS))
    assert found["eve"] == pytest.approx(usual)


def test_co_purchase_is_the_share_weighted_cosine() -> None:
    made = propose(BASKETS, catalogue("abcde"), requests("ann"), CandidateParams(decay_days=1e12))
    score = dict(zip(made["product_id"], made["co_purchase"], strict=True))
    # a stands in both of Ann's baskets, c in 4 of the 6 baskets of a and in no other: 4 / sqrt(6 * 4)
    assert score["c"] == pytest.approx(4 / np.sqrt(24))
    assert score["b"] == 0  # one common basket is under the evidence asked for


def test_nothing_is_taken_from_the_day_of_the_cut_or_later() -> None:
    planted = pl.concat([BASKETS, pl.DataFrame([basket("ann", -1, ["e"]), basket("ann", 0, ["e", "a"])])])
    before = propose(BASKETS, catalogue("abcde"), requests("ann"))
    assert propose(planted, catalogue("abcde"), requests("ann")).equals(before)
    assert "e" not in set(before["product_id"])


def test_a_customer_without_baskets_gets_what_needs_no_history() -> None:
    made = sources(propose(BASKETS, catalogue("abcde"), requests("new one")), "new one")
    assert made.keys() == {"a", "b", "c", "d"}
    assert not any("bought" in names or "co_purchased" in names for names in made.values())


def test_excluded_products_are_never_proposed() -> None:
    shop = catalogue("abcde", is_bundleable=[False, True, True, True, True])
    assert "a" not in set(propose(BASKETS, shop, requests("ann"))["product_id"])


def test_best_sellers_of_the_main_category_and_launches_are_proposed() -> None:
    launches = [None, None, None, None, DAY - timedelta(days=3)]
    shop = catalogue("abcde", category=["x", "y", "x", "z", "z"], launched_on=launches)
    made = sources(propose(BASKETS, shop, requests("ann"), CandidateParams(popular=1, co_purchased=0)), "ann")
    assert made["c"] == ["category"]
    assert made["e"] == ["new"]
    assert made["a"] == ["bought"]


def test_launches_without_evidence_have_half_of_the_places_of_new_products_however_many_sell() -> None:
    names = [f"p{number:02d}" for number in range(40)]
    selling, unsold = names[:30], names[30:]
    shop = pl.DataFrame({"product_id": names}).with_columns(
        is_bundleable=True, category=pl.lit(None, pl.String), launched_on=pl.lit(DAY - timedelta(days=5))
    )
    rows = [basket("bob", 3, [name]) for number, name in enumerate(selling) for _ in range(40 - number)]
    sold = pl.DataFrame(rows).with_columns(customer_id=pl.lit(None, pl.String))
    few = CandidateParams(popular=1, co_purchased=0, categories=0, new=8, evident_baskets=5)

    def new(shop: pl.DataFrame, params: CandidateParams) -> list[str]:
        made = sources(propose(sold, shop, requests("ann"), params), "ann")
        return [product for product, names in made.items() if "new" in names]

    assert new(shop, few) == [*selling[:4], *unsold[:4]]
    assert new(shop.filter(~pl.col("product_id").is_in(unsold[1:])), few) == [*selling[:7], unsold[0]]
    assert new(shop.filter(pl.col("product_id").is_in(unsold)), few) == unsold[:8]
    assert new(shop, replace(few, new=0)) == [] and new(shop, replace(few, new=1)) == [selling[0]]


def test_a_launch_after_the_cut_is_not_known() -> None:
    shop = catalogue("abcde", launched_on=[None, None, None, None, DAY])
    assert "e" not in set(propose(BASKETS, shop, requests("ann"))["product_id"])


def test_every_customer_has_a_hundred_candidates_where_the_catalogue_allows() -> None:
    draw = np.random.default_rng(1)
    names = [f"p{number:03d}" for number in range(300)]
    rows = [basket(f"c{k % 40}", k % 70 + 1, sorted(draw.choice(names, 6, replace=False).tolist())) for k in range(800)]
    shop = pl.DataFrame({"product_id": names}).with_columns(
        is_bundleable=True, category=pl.lit("x"), launched_on=pl.lit(None, pl.Date)
    )
    wanted = requests(*(f"c{k}" for k in range(40)), "stranger")
    made = propose(pl.DataFrame(rows), shop, wanted)
    assert made.group_by("customer_id").len()["len"].min() >= 100
    assert made.schema == pl.Schema(SCHEMA)
    assert made.select("customer_id", "cut", "product_id").is_unique().all()


def test_the_whole_catalogue_holds_every_product_with_the_same_scores() -> None:
    shop = catalogue("abcde")
    some, every = propose(BASKETS, shop, requests("ann"), NARROW), whole_catalogue(BASKETS, shop, requests("ann"))
    assert every["product_id"].to_list() == list("abcde")
    both = some.join(every, on=["customer_id", "product_id"])
    assert both["co_purchase"].equals(both["co_purchase_right"], check_names=False)


def test_several_cuts_equal_each_cut_alone() -> None:
    shop, earlier = catalogue("abcde"), requests("ann", cut=DAY - timedelta(days=55))
    together = propose(BASKETS, shop, pl.concat([requests("ann"), earlier]))
    alone = pl.concat([propose(BASKETS, shop, earlier), propose(BASKETS, shop, requests("ann"))])
    assert together.equals(alone)


def test_an_empty_shop_has_no_candidates() -> None:
    assert propose(BASKETS, catalogue("abc").clear(), requests("ann")).is_empty()
    assert propose(BASKETS.clear(), catalogue("abc"), requests("ann")).is_empty()
    assert propose(BASKETS, catalogue("abc"), requests("ann").clear()).is_empty()


def test_params_refuse_nonsense_by_name() -> None:
    with pytest.raises(ConfigError, match="co_purchased"):
        CandidateParams(co_purchased=-1)
