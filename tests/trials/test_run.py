"""A trial from the command line: two files are written, and what is wrong is said."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.__main__ import main
from ml.errors import ConfigError, DataError
from ml.policies import named
from ml.trials import next_basket
from ml.trials.arguments import POLICIES, TASKS
from tests.trials.folders import trial, write, write_catalogue, write_orders


def line(folder: Path, *more: str) -> list[str]:
    files = ["--out", str(folder / "metrics.json"), "--predictions", str(folder / "predictions.parquet")]
    return ["evaluate", "--source", "folder", "--path", str(folder), "--task", "next_basket", *files, *more]


def test_metrics_and_predictions_are_written_and_the_same_twice(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abc")
    write_orders(tmp_path, [("x", "2020-01-01", "a"), ("x", "2020-01-02", "ab"), ("x", "2020-01-03", "b")])
    contents = []
    for _ in range(2):
        assert main(line(tmp_path)) == 0
        contents.append([(tmp_path / name).read_bytes() for name in ("metrics.json", "predictions.parquet")])
    assert contents[0] == contents[1]
    found = json.loads(contents[0][0])
    assert (found["task"], found["cut"], found["refused"]) == ("next_basket", None, {})
    assert set(found["metrics"]["recall_10"]) == {"value", "low", "high"}
    assert pl.read_parquet(tmp_path / "predictions.parquet").columns == ["question_id", "product_id", "place", "score"]


def test_a_missing_table_is_a_data_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_catalogue(tmp_path, "abc")
    assert main(line(tmp_path)) == 65
    assert "needs table orders" in capsys.readouterr().err


def test_a_model_of_another_task_is_refused_with_those_it_knows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'oracle': next_basket knows best, popularity"):
        trial(tmp_path, task="next_basket", model="oracle")


def test_options_that_belong_to_another_task_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="belong to bundles; completion takes --model"):
        trial(tmp_path, task="completion", association="cosine")
    with pytest.raises(DataError, match="--places: got 0"):
        trial(tmp_path, task="next_basket", places=0)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no directory"):
        trial(tmp_path, task="next_basket", out=tmp_path / "nowhere" / "metrics.json")


def test_the_help_lists_the_models_that_there_are() -> None:
    assert set(TASKS["next_basket"]) == {"best", *next_basket.MODELS}
    assert set(POLICIES) == set(named.POLICIES)


@pytest.mark.parametrize("column", ["image_vector", "text_vector", "audio_vector"])
def test_a_planted_vector_of_any_kind_tells_where_a_product_without_sales_belongs(column: str, tmp_path: Path) -> None:
    """Products a are bought together, and so are b; aa and bb never sold, and only their vectors tell them apart."""
    rng = np.random.default_rng(0)
    names = [f"{kind}{n}" for kind in "ab" for n in range(10)]
    vectors = [f'{name},"[{1 if name[0] == "a" else -1}, {n % 10 / 20}]"' for n, name in enumerate(names)]
    write(tmp_path, "products", f"product_id,{column}", [*vectors, 'aa,"[1, 0.2]"', 'bb,"[-1, 0.2]"'])
    days = [f"2020-01-{day:02d}" for day in range(1, 29)]
    sold = [(n, f"c{n % 9}", days[n % 28], [f"{'ab'[n % 2]}{k}" for k in rng.choice(10, 3, replace=False)])
            for n in range(300)]  # fmt: skip
    asked = [*sold, (300, "c0", "2020-02-01", ["a0", "a1"])]
    write(tmp_path, "orders", "order_id,customer_id,ordered_at", [f"{n},{who},{day}" for n, who, day, _ in asked])
    write(tmp_path, "order_items", "order_id,product_id", [f"{n},{one}" for n, _, _, held in asked for one in held])
    more = ["--task", "completion", "--model", "graph", "--cut", "2020-02-01"]
    assert main([*line(tmp_path), *more]) == 0
    told = dict(pl.read_parquet(tmp_path / "predictions.parquet").select("product_id", "score").iter_rows())
    assert told["aa"] > told["bb"] + 0.5
