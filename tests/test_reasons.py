"""Reasons in words: every fact is one that was given."""

from ml.reasons import ItemFacts, PairFacts, listed_reason, pair_facts, reason


def test_a_reason_names_evidence_and_the_customers_own_purchases() -> None:
    text = reason(
        [ItemFacts("Pasta", 12, 3, ["bought"]), ItemFacts("Sauce", 1, 1, ["bought", "popular"])],
        {(0, 1): PairFacts(34, 2.13, 1.52, 2.81)},
    )
    assert text == (
        "Pasta and Sauce were bought together in 34 baskets, 2.1 times what the buyers' habits explain (1.5 to 2.8). "
        "Pasta: in 12 baskets of this customer, last 3 days ago; Sauce: in 1 basket of this customer, last 1 day ago."
    )


def test_a_new_product_says_who_proposed_it() -> None:
    text = reason([ItemFacts("Pesto", 0, None, ["co_purchased", "popular"])], {})
    assert text == (
        "Pesto: never bought by this customer, proposed because often bought with what the customer buys, "
        "popular in the last four weeks."
    )


def test_a_pair_without_evidence_is_not_mentioned() -> None:
    items = [ItemFacts(name, 2, None, ["bought"]) for name in ("bread", "butter", "jam")]
    text = reason(items, {(0, 2): PairFacts(5, 1.0, 0.3, 2.3)})
    assert "bread and jam" in text.lower()
    assert "butter and" not in text and "and butter" not in text
    assert "last" not in text


def test_a_bundle_for_everybody_says_whom_it_serves_and_what_speaks_for_it() -> None:
    assert listed_reason(["Pasta", "Sauce", "Salt"], {(0, 1): PairFacts(34, 2.13, 1.52, 2.81)}, 41, 12, 200) == (
        "Worth showing to 41 of 200 customers, the best of the list for 12 of them. "
        "Pasta and Sauce were bought together in 34 baskets, 2.1 times what the buyers' habits explain (1.5 to 2.8)."
    )


def test_a_pair_of_a_new_product_is_not_said_to_have_been_counted() -> None:
    row = {"pair_baskets": 0, "lift": 0.0, "lift_low": 0.0, "lift_high": 0.0, "association": 1.84}
    items = [ItemFacts("Pesto", 0, None, ["new"]), ItemFacts("Pasta", 3, None, ["bought"])]
    text = reason(items, {(0, 1): pair_facts({**row, "evidence": "category"})})
    assert text.startswith(
        "Pesto and Pasta are too new together to have been counted; products like them are bought together 1.8 times "
        "what the buyers' habits explain. Pesto: never bought by this customer, proposed because new in the shop"
    )
    assert pair_facts({**row, "evidence": "counted"}).estimate is None
