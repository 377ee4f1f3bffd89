"""The whole catalogue, and what other tests show of it (26, 75, 78 to 88)."""

import ast
from pathlib import Path

from tests.bad_inputs.case import Elsewhere
from tests.bad_inputs.files import FILES
from tests.bad_inputs.keys import KEYS
from tests.bad_inputs.numbers import NUMBERS
from tests.bad_inputs.texts import TEXTS
from tests.bad_inputs.times import TIMES

LAST = 88
CASES = [*FILES, *TEXTS, *NUMBERS, *TIMES, *KEYS]
INFLUENCE = "tests/test_influence.py"
REVIEWS = "tests/test_poisoned_reviews.py"
SHOWN = [
    Elsewhere(
        26,
        "the newest days were not delivered",
        "stale: the day's build stops, nothing new is published",
        ("tests/dbt/test_stops.py::test_a_stale_source_stops_the_build_before_it_begins",),
    ),
    Elsewhere(
        26,
        "a day in the middle was not delivered",
        "an incident; the second one within four weeks stops the day's build",
        ("tests/dbt/test_stops.py::test_days_that_lack_are_noted_once_and_the_second_stops_the_day",),
    ),
    Elsewhere(
        75,
        "a product twice in its bundle, a bundle of one",
        "refused by the optimizer and by the audit",
        (
            "tests/optimizer/test_problem.py::test_a_problem_refuses_what_does_not_fit",
            "tests/optimizer/test_problem.py::test_limits_refuse_nonsense",
            "tests/dbt/test_audit.py::test_each_planted_fault_is_found_by_its_own_check",
        ),
    ),
    Elsewhere(
        78,
        "no customers, no orders, no events",
        "the run stops with the reason, the old result stays",
        (
            "tests/dbt/test_stops.py::test_a_shop_without_any_order_is_stale",
            "tests/dbt/test_stops.py::test_a_stale_source_stops_the_build_before_it_begins",
            "tests/dbt/test_audit.py::test_an_empty_run_is_not_a_sound_one",
            "tests/sources/test_folder.py::test_a_folder_without_tables_has_nothing_to_do",
            "tests/test_candidates.py::test_an_empty_shop_has_no_candidates",
        ),
    ),
    Elsewhere(
        79,
        "one product, or too little to learn from",
        "no bundle and why; training: not_enough_data",
        (
            "tests/optimizer/test_solve.py::test_customers_with_too_few_candidates_get_no_bundle",
            "tests/test_training.py::test_too_little_data_is_said_so",
            "tests/dbt/test_audit.py::test_an_empty_run_is_not_a_sound_one",
        ),
    ),
    Elsewhere(
        80,
        "everything sold out or excluded",
        "no bundle, and the reason for each customer",
        (
            "tests/optimizer/test_solve.py::test_an_abstention_says_what_stood_in_the_way",
            "tests/optimizer/test_stock.py::test_without_stock_nobody_gets_anything",
        ),
    ),
    Elsewhere(
        81,
        "everybody buys everything, or nobody two things",
        "measures are finite, or there is no pair",
        (
            "tests/bad_inputs/test_shapes.py::test_where_everybody_buys_everything_every_measure_is_finite",
            "tests/bad_inputs/test_shapes.py::test_where_nobody_buys_two_things_there_is_no_pair",
            "tests/evaluation/test_pair_metrics.py::test_baskets_of_one_product_have_nothing_to_complete",
        ),
    ),
    Elsewhere(
        82,
        "a script that buys or looks thousands of times",
        "others get the same bundles, metrics move less than 1 %, the script is shown as a bot",
        (
            "tests/dbt/test_features.py::test_a_thousand_bought_reviews_and_a_bot_are_set_apart_and_shown",
            "tests/preference/test_sequence_guard.py::test_a_customer_of_thousands_of_views_changes_no_other_score",
            f"{INFLUENCE}::test_a_bot_moves_no_metric_of_the_others_by_a_hundredth",
            f"{INFLUENCE}::test_planted_baskets_change_no_association_or_bundle_and_hardly_a_candidate",
            f"{INFLUENCE}::test_planted_baskets_hardly_change_what_others_are_thought_to_want",
        ),
    ),
    Elsewhere(
        83,
        "a basket of thousands of lines",
        "it is giant and counts for no pair",
        (
            f"{INFLUENCE}::test_planted_baskets_change_no_association_or_bundle_and_hardly_a_candidate",
            f"{INFLUENCE}::test_a_bot_and_a_giant_basket_are_no_examples",
        ),
    ),
    Elsewhere(
        84,
        "one answer in all examples, a feature that never varies",
        "degenerate_target; the feature is named in the run and does nothing",
        (
            "tests/preference/test_ranker.py::test_examples_of_one_answer_are_refused",
            "tests/preference/test_ranker.py::test_a_feature_that_never_varies_is_named_and_changes_nothing",
            "tests/demand/test_demand_model.py::test_rows_without_a_sale_are_refused_and_say_so",
            "tests/demand/test_demand_model.py::test_what_never_varies_is_harmless",
            "tests/demand/test_level.py::test_a_shop_that_sold_nothing_keeps_the_recent_mean",
        ),
    ),
    Elsewhere(
        85,
        "a new customer, a new product",
        "a reason for one, its category's evidence for the other",
        (
            "tests/stages/test_optimise_bundles.py::test_customers_without_evidence_get_a_reason_instead_of_a_bundle",
            "tests/stages/test_optimise_bundles.py::test_a_product_that_was_launched_after_training_enters_bundles_by_its_category",
        ),
    ),
    Elsewhere(
        86,
        "a customer who asks to be left out during a run",
        "the run is not published, the next one leaves them out",
        tuple(
            f"tests/database/test_erasures.py::{name}"
            for name in (
                "test_a_run_that_was_under_way_is_not_published_and_a_rerun_is",
                "test_what_a_customer_was_given_goes_at_once_and_nothing_of_others",
                "test_no_stage_is_given_a_row_of_theirs",
            )
        ),
    ),
    Elsewhere(
        87,
        "prices that change during a run",
        "a run keeps the prices of its day, and the audit compares them",
        ("tests/dbt/test_audit.py::test_each_planted_fault_is_found_by_its_own_check",),
    ),
    Elsewhere(
        88,
        "a thousand bought reviews",
        "no product moves by three places; what does not count is shown",
        (
            f"{REVIEWS}::test_a_thousand_reviews_by_new_accounts_move_no_product_by_three_places",
            f"{REVIEWS}::test_without_the_rule_they_would",
            "tests/dbt/test_features.py::test_a_thousand_bought_reviews_and_a_bot_are_set_apart_and_shown",
        ),
    ),
]


def is_there(repository: Path, name: str) -> bool:
    """Return whether a test of that name stands at its address, ``path::name``."""
    path, _, test = name.partition("::")
    if not (repository / path).is_file():
        return False
    tree = ast.parse((repository / path).read_text("utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in ast.walk(tree))
