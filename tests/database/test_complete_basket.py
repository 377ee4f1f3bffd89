"""``serve.complete_basket``: equal to the plain reference, honest about what it cannot do, closed to everybody else."""

from dataclasses import replace
from typing import Any

import numpy as np
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest

from tests.database.basket_reference import Count, Pair, Product, Shop, complete
from tests.database.live_shop import AS_OF, plant, random_shop

Connection = psycopg2.extensions.connection
BASKETS = 1000


def ask(analyst: Connection, *arguments: object) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the suggestions and the problems."""
    with analyst.cursor() as cursor:
        cursor.execute(f"select * from serve.complete_basket({', '.join(['%s'] * len(arguments))})", arguments)
        rows = [dict(row) for row in cursor.fetchall()]
    told = [row for row in rows if row["problem"]]
    assert all(row["rank"] is None and row["product_id"] is None and row["reason"] for row in told)
    return [row for row in rows if not row["problem"]], told


def breakfast() -> Shop:
    """Return bread, and what goes with it: jam best, then butter, then tea; margarine instead of butter."""

    def counted(first: str, second: str, together: int, expected: float, relation: str = "complement") -> Pair:
        lift = together / expected
        association = 0.0 if relation == "substitute" else (together + 5) / (expected + 5)
        return Pair(first, second, together, expected, lift, lift * 0.8, lift * 1.2, association, relation, "counted")

    return Shop(
        AS_OF,
        [
            Product("bread", "Bread", "BAKERY", 200, True, 100),
            Product("butter", "Butter", "DAIRY", 300, True, 50),
            Product("jam", "Jam", "SPREADS", 400, True, 40),
            Product("margarine", "Margarine", "DAIRY", 150, True, 60),
            Product("tea", "Tea", "DRINKS", 500, True, 80),
        ],
        [
            counted("bread", "butter", 20, 10),
            counted("bread", "jam", 30, 10),
            counted("bread", "margarine", 40, 10),
            counted("bread", "tea", 10, 10),
            counted("butter", "margarine", 5, 20, "substitute"),
        ],
        [],
        {("ann", "tea"): 0.5, ("ann", "jam"): 0.1},
        1000,
    )


def products(suggestions: list[dict[str, Any]]) -> list[str]:
    return [row["product_id"] for row in suggestions]


def problems(told: list[dict[str, Any]]) -> list[str]:
    return [row["problem"] for row in told]


# The larger shop has more pairs of a basket than are looked at first, and lists that need them.
@pytest.mark.parametrize(
    ("is_counting", "size", "paired_share", "longest"),
    [(False, 40, 0.15, 5), (True, 40, 0.15, 5), (True, 160, 0.9, 60)],
)
def test_it_equals_the_reference_on_random_baskets(
    owner: Connection, analyst: Connection, is_counting: bool, size: int, paired_share: float, longest: int
) -> None:
    seen: set[str] = set()
    found = 0
    for seed in range(5 if size == 40 else 1):
        shop = random_shop(seed, is_counting, size, paired_share)
        plant(owner, shop)
        rng = np.random.default_rng(seed)
        for _ in range(BASKETS // (10 if size == 40 else 40)):
            names = [*(product.product_id for product in shop.products), "gone", "lost", None]
            items = [names[at] for at in rng.integers(0, len(names), rng.integers(0, 5))]
            budget = None if rng.random() < 0.2 else int(rng.integers(0, 300 * longest))
            customer = [None, "ann", "bob", "nobody"][rng.integers(4)]
            k = int(rng.integers(1, longest + 1))
            suggestions, told = ask(analyst, items, budget, k, customer)
            wanted, expected_problems = complete(shop, items, budget, k, customer)
            facts = [
                tuple(row[name] for name in ("product_id", "price_cents", "score", "basket_product_id", "association",
                                             "preference", "available_units"))
                for row in suggestions
            ]  # fmt: skip
            assert facts == [tuple(vars(one).values()) for one in wanted]
            assert [row["rank"] for row in suggestions] == list(range(1, len(wanted) + 1))
            assert [(row["problem"], row["basket_product_id"]) for row in told] == expected_problems
            seen |= {row["problem"] for row in told}
            found += len(suggestions)
    every = {"empty_basket", "unknown_product", "unknown_customer", "nothing_in_budget", "no_association"}
    assert (
        seen >= {"nothing_in_budget", "out_of_stock"}
        if size > 40
        else seen == every | ({"out_of_stock"} if is_counting else set())
    )
    assert found > BASKETS / 10


def test_anybody_gets_what_most_baskets_with_the_product_hold(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    suggestions, told = ask(analyst, ["bread", "bread"], 1000, 2)
    assert not told
    best = suggestions[0]
    assert (best["product_id"], best["score"], best["title"], best["price_cents"]) == (
        "margarine",
        0.4,
        "Margarine",
        150,
    )
    assert suggestions[1]["product_id"] == "jam"
    assert suggestions[1]["reason"] == (
        "Bread and Jam were bought together in 30 baskets, 3.0 times what the buyers' habits explain (2.4 to 3.6)."
    )


def test_a_customer_gets_what_they_like_first_and_the_probability_is_told(
    owner: Connection, analyst: Connection
) -> None:
    plant(owner, breakfast())
    suggestions, told = ask(analyst, ["bread"], None, 9, "ann")
    # Tea .5 x 15/15, jam .1 x 35/15; what is none of Ann's candidates comes after: 40 and 20 of 100 baskets with bread.
    assert products(suggestions) == ["tea", "jam", "margarine", "butter"]
    assert [row["score"] for row in suggestions] == pytest.approx([0.5, 0.1 * 35 / 15, 0.4, 0.2])
    assert suggestions[0]["reason"].endswith("The customer's next basket holds Tea with a probability of 50.0 %.")
    assert problems(told) == ["no_association"]


def test_an_unknown_customer_is_told_so_and_served_like_anybody(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    suggestions, told = ask(analyst, ["bread"], None, 4, "zed")
    assert problems(told) == ["unknown_customer"]
    assert suggestions == ask(analyst, ["bread"], None, 4)[0]


def test_a_substitute_of_the_basket_is_never_suggested(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    assert products(ask(analyst, ["bread", "butter"], None, 9)[0]) == ["jam", "tea"]


def test_what_is_bought_together_less_than_chance_is_never_suggested(owner: Connection, analyst: Connection) -> None:
    shop = breakfast()
    shop.pairs.append(Pair("jam", "tea", 5, 50.0, 0.1, 0.05, 0.9, 10 / 55, "undecided", "counted"))
    plant(owner, shop)
    assert products(ask(analyst, ["bread", "tea"], None, 9)[0]) == ["margarine", "butter"]


def test_the_sum_fits_the_budget_and_what_does_not_fit_is_passed_over(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    suggestions, told = ask(analyst, ["bread"], 450, 3)
    assert products(suggestions) == ["margarine", "butter"]
    assert problems(told) == ["nothing_in_budget"]
    assert told[0]["reason"] == "What is left of the budget (0.00) buys nothing: the cheapest product costs 1.50."
    assert problems(ask(analyst, ["bread"], 149, 3)[1]) == ["nothing_in_budget"]
    told = ask(analyst, ["bread"], 800, 3)[1]
    assert told[0]["reason"] == (
        "Of 4 products that complete the basket, 2 cost more than is left of the budget (2.50)."
    )


def test_stock_is_the_last_count_of_each_warehouse(owner: Connection, analyst: Connection) -> None:
    shop = breakfast()
    shop.counts = [
        Count("margarine", "north", "2024-03-01 08:00+00", 50, 0),
        Count("margarine", "north", "2024-03-30 08:00+00", 3, 3),
        Count("jam", "north", "2024-03-01 08:00+00", 3, 1),
        Count("jam", "south", "2024-02-01 08:00+00", 0, 2),
        Count("jam", "west", "2023-02-01 08:00+00", 5, 0),
    ]
    plant(owner, shop)
    suggestions, told = ask(analyst, ["bread"], None, 3)
    assert [(row["product_id"], row["available_units"]) for row in suggestions] == [("jam", 7)]
    assert problems(told) == ["out_of_stock"]
    assert told[0]["reason"] == "Of 4 products that complete the basket, 3 are out of stock."
    with owner.cursor() as cursor:  # the delivery of this minute counts at once
        cursor.execute("insert into raw.stock_levels values ('tea', 'north', now(), 2, 0, 2)")
    assert products(ask(analyst, ["bread"], None, 3)[0]) == ["jam", "tea"]


def test_a_shop_may_put_a_table_of_its_own_behind_the_view(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    with owner.cursor() as cursor:
        cursor.execute("select pg_get_viewdef('serve.live_stock'::regclass)")
        (ours,) = cursor.fetchone() or ("",)
        cursor.execute("create table raw.their_stock (sku text primary key, free bigint)")
        view = "create or replace view serve.live_stock as"
        cursor.execute(f"{view} select sku as product_id, free::integer as available_units from raw.their_stock")
        try:
            nothing_counted = products(ask(analyst, ["bread"], None, 4)[0])
            cursor.execute("insert into raw.their_stock values ('jam', 0), ('tea', 4), ('butter', null)")
            counted = ask(analyst, ["bread"], None, 4)[0]
        finally:
            cursor.execute(f"{view} {ours}")
            cursor.execute("drop table raw.their_stock")
    assert nothing_counted == ["margarine", "jam", "butter", "tea"]
    assert [(row["product_id"], row["available_units"]) for row in counted] == [("butter", None), ("tea", 4)]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (("veto", "jam", None, True), ["margarine", "butter", "tea"]),
        (("veto", "jam", None, False), ["margarine", "jam", "butter", "tea"]),
        (("exclude_category", "DAIRY", None, True), ["jam", "tea"]),
        (("price_floor", "jam", 401, True), ["margarine", "butter", "tea"]),
        (("price_floor", "jam", 400, True), ["margarine", "jam", "butter", "tea"]),
        (("pin", "tea", None, True), ["margarine", "jam", "butter", "tea"]),
    ],
)
def test_what_the_run_was_forbidden_is_not_suggested(
    owner: Connection, analyst: Connection, rule: tuple[str, str, int | None, bool], left: list[str]
) -> None:
    plant(owner, replace(breakfast(), rules=[rule]))
    assert products(ask(analyst, ["bread"], None, 4)[0]) == left


def test_a_new_product_is_valued_by_what_is_estimated(owner: Connection, analyst: Connection) -> None:
    shop = breakfast()
    shop.products.append(Product("honey", "Honey", "SPREADS", 100, True, 10))
    shop.pairs.append(Pair("bread", "honey", 0, 0.0, 0.0, 0.0, 0.0, 45.0, "undecided", "category"))
    plant(owner, shop)
    (best,), _ = ask(analyst, ["bread"], None, 1)
    assert (best["product_id"], best["score"], best["evidence"]) == ("honey", pytest.approx(0.45), "category")
    assert best["reason"] == (
        "Bread and Honey are too new together to have been counted; products like them are bought together 45.0 times"
        " what the buyers' habits explain."
    )


@pytest.mark.parametrize("items", [None, [], [None]])
def test_an_empty_basket_is_told(owner: Connection, analyst: Connection, items: list[str | None] | None) -> None:
    plant(owner, breakfast())
    with analyst.cursor() as cursor:
        cursor.execute("select problem from serve.complete_basket(%s::text[], 100, 1)", (items,))
        assert [row["problem"] for row in cursor.fetchall()] == ["empty_basket"]


def test_each_unknown_product_is_named_and_the_others_are_completed(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    suggestions, told = ask(analyst, ["zinc", "bread", "ale"], None, 1)
    assert products(suggestions) == ["margarine"]
    assert [(row["problem"], row["basket_product_id"]) for row in told] == [
        ("unknown_product", "ale"), ("unknown_product", "zinc"),
    ]  # fmt: skip
    assert ask(analyst, ["zinc"], None, 1)[0] == []


def test_before_the_first_publication_nothing_is_suggested(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast(), is_published=False)
    assert problems(ask(analyst, ["bread"], None, 1)[1]) == ["nothing_published"]


def test_only_the_published_run_is_read(owner: Connection, analyst: Connection) -> None:
    plant(owner, breakfast())
    before = ask(analyst, ["bread"], None, 4)
    with owner.cursor() as cursor:
        cursor.execute("select run_id from ops.open_run('personal', '2024-04-01', 'newer', 1, '{}', '')")
        cursor.execute(
            "insert into ml.associations select (select max(run_id) from ops.runs), product_a, product_b, 99, 1, 99,"
            " 50, 150, 17, 'complement', 'counted' from ml.associations"
            " where run_id = (select run_id from ops.published)"
        )
    assert ask(analyst, ["bread"], None, 4) == before


@pytest.mark.parametrize("k", [0, -1, None])
def test_a_list_of_nothing_is_refused(analyst: Connection, k: int | None) -> None:
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="k must be at least 1"):
        ask(analyst, ["bread"], 100, k)


def test_pairs_are_found_from_both_sides_and_stock_without_its_history(owner: Connection) -> None:
    run_id = plant(owner, breakfast())
    with owner.cursor() as cursor:
        cursor.execute(
            "insert into ml.associations select %s, 'a' || n, 'b' || n, 9, 1, 9, 5, 12, 3, 'complement', 'counted'"
            " from generate_series(1, 5000) as n",
            (run_id,),
        )
        cursor.execute(
            "insert into raw.products (product_id, load_id) select 'a' || n, 1 from generate_series(1, 300) as n"
        )
        cursor.execute(
            "insert into raw.stock_levels select 'a' || n, 'w', timestamptz '2024-01-01Z' + c * interval '1 h', c, 0, 1"
            " from generate_series(1, 300) as n, generate_series(1, 100) as c"
        )
        cursor.execute("analyze raw.products, raw.stock_levels, ml.associations")
        cursor.execute(f"explain select * from ml.associations where run_id = {run_id} and product_b = 'b7'")
        of_pairs = str(cursor.fetchall())
        cursor.execute("explain (analyze, format json) select * from serve.live_stock where product_id = 'a7'")
        ((of_stock,),) = cursor.fetchall()
    assert "Index" in of_pairs and "Seq Scan" not in of_pairs
    assert most_rows(of_stock[0]["Plan"]) <= 2  # two warehouses, of which the second is none; of 100 counts


def most_rows(plan: dict[str, Any]) -> float:
    """Return the most rows that a node of the plan passed on at once."""
    return max([float(plan["Actual Rows"]), *map(most_rows, plan.get("Plans", []))])
