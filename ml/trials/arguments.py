"""The words of ``python -m ml evaluate``; nothing heavy is loaded for them."""

import argparse
from datetime import date
from pathlib import Path

POLICIES = ("expected_joint_purchase", "expected_incremental_margin", "independence", "pairwise_sum",
            "frequently_bought_together")  # fmt: skip
TASKS = {
    "next_basket": ("best", "popularity", "personal_frequency", "personal_decayed", "item_cosine", "tifu_knn",
                    "rolling_trees", "ranker", "lambdarank", "two_tower_additive", "dense_network",
                    "transformer", "gru", "lstm"),
    "completion": ("best", "lift", "population_lift", "cosine", "regression", "popularity", "category_lift",
                    "scaled_cosine", "graph", "sentences", "text_category", "blend"),
    "bundle_generation": ("best", "whole", "described", "same_category", "components", "agglomerative", *POLICIES),
    "bundle_ranking": ("best", "popularity", "preference", "association", "preference_association", *POLICIES),
}  # fmt: skip
"""By task, the models it can judge; ``best`` is the default."""
ASSOCIATIONS = ("lift", "population_lift", "cosine", "evidence", "regression", "graph", "category_lift",
                "scaled_cosine")  # fmt: skip
"""What a policy can take as A."""

HELP = "judge a model on a folder of your own data, without a database"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a trial asks."""
    listed = "; ".join(f"{task}: {', '.join(models)}" for task, models in TASKS.items())
    parser.add_argument("--source", choices=("folder",), default="folder", help="where the data come from")
    parser.add_argument("--path", type=Path, required=True, help="the folder, as docs/evaluate.md describes it")
    parser.add_argument("--task", choices=tuple(TASKS), required=True)
    parser.add_argument("--cut", type=date.fromisoformat, help="first day that models know nothing of")
    parser.add_argument("--model", default="best", help=f"best = chosen on a validation before the cut. {listed}")
    liked = [name for name in TASKS["next_basket"] if name not in ("best", "rolling_trees")]
    parser.add_argument("--preference", choices=liked, help="whose P a policy takes (bundle tasks)")
    parser.add_argument("--association", choices=ASSOCIATIONS, help="which A a policy takes (bundle tasks)")
    parser.add_argument("--places", type=int, default=100, help="best places written where a catalogue is ranked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="metrics, as JSON")
    parser.add_argument("--predictions", type=Path, required=True, help="ranked predictions, as Parquet")
