"""Splits by time: the first basket after a cut, from a past that ends before it."""

from datetime import date, timedelta

import polars as pl

from ml.evaluation.splits import all_bought, customers_at, requests_between, rolling_origins, training_cuts

CUT = date(2017, 12, 4)


def baskets(*rows: tuple[str | None, int, list[str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "basket_id": f"{who}{days}",
                "customer_id": who,
                "basket_on": CUT + timedelta(days=days),
                "product_ids": what,
            }
            for who, days, what in rows
        ]
    )


SHOP = baskets(
    ("ann", -9, ["a"]), ("ann", -1, ["b"]), ("ann", 0, ["c", "d"]), ("ann", 3, ["e"]),
    ("bob", -1, ["a"]), ("bob", 2, ["b"]),
    ("eve", -9, ["a"]), ("eve", -8, ["a"]), ("eve", 28, ["c"]),
    (None, 1, ["a"]),
)  # fmt: skip


def test_the_first_basket_on_or_after_the_cut_of_customers_with_a_past() -> None:
    found = requests_between(SHOP, CUT, CUT + timedelta(days=27), min_baskets=2)
    assert found.rows() == [("ann", CUT, ["c", "d"], CUT)]


def test_the_window_ends_on_its_last_day() -> None:
    found = requests_between(SHOP, CUT, CUT + timedelta(days=28), min_baskets=1)
    assert found["customer_id"].to_list() == ["ann", "bob", "eve"]


def test_small_baskets_may_be_left_out_of_past_and_targets() -> None:
    assert requests_between(SHOP, CUT, CUT + timedelta(days=28), 1, min_products=2).is_empty()


def test_new_customers_have_few_baskets_or_none() -> None:
    strangers = baskets(("joe", 1, ["a"]), (None, 1, ["b"]))
    shop = pl.concat([SHOP, strangers])
    assert requests_between(shop, CUT, CUT + timedelta(days=27), 0, max_baskets=1)["customer_id"].to_list() == [
        "bob", "joe"
    ]  # fmt: skip
    assert requests_between(shop, CUT, CUT + timedelta(days=27), 1)["customer_id"].to_list() == ["ann", "bob"]


def test_rolling_origins_leave_a_window_of_their_own_to_each_period() -> None:
    last = CUT - timedelta(days=1)
    assert rolling_origins(last, 3, 28) == [last - timedelta(days=56), last - timedelta(days=28), last]


def test_training_windows_follow_each_other_and_end_with_the_data() -> None:
    cuts = training_cuts(CUT - timedelta(days=1), 3, 28)
    assert cuts == [CUT - timedelta(days=28), CUT - timedelta(days=56), CUT - timedelta(days=84)]


def test_everybody_known_by_the_cut_is_asked_what_they_buy_for_some_days() -> None:
    rows = [("ann", 29, ["z"]), ("ann", 1, ["b", "a"]), ("ann", 5, ["a", "c"]), ("ann", 6, ["d"]), ("bob", 2, ["e"])]
    rows += [("cy", 28, ["z"]), (None, 28, ["z"])]
    bought = pl.DataFrame(
        {
            "customer_id": [who for who, _, _ in rows],
            "basket_on": [date(2024, 2 if day > 20 else 3, day) for _, day, _ in rows],
            "product_ids": [names for _, _, names in rows],
        }
    )
    requests = customers_at(bought, date(2024, 3, 1), min_baskets=1)
    assert requests["customer_id"].to_list() == ["ann", "cy"], "bob is not known yet"
    assert all_bought(bought, requests, 5)["product_ids"].to_list() == [["a", "b", "c"], []]
    assert customers_at(bought, date(2024, 3, 6), min_baskets=2)["customer_id"].to_list() == ["ann"]
