"""Pictures: what was measured is drawn, what was not is not."""

import polars as pl
import pytest

from ml.evaluation.bootstrap import Interval
from ml.evaluation.measured import SEGMENT_COLUMNS
from ml.evaluation.plots import differences, learning_curve, recall_by_k, segment_bars


def test_a_segment_that_was_not_ranked_has_no_bar_at_zero() -> None:
    rows = [
        ("departments", 9, 0.2, 0.1, 0.3, None, None),
        ("few", 5, 0.4, 0.3, 0.5, 0.25, 0.01),
        ("many", 7, 0.5, 0.4, 0.6, 0.35, 0.02),
    ]
    recall, ndcg, ece = segment_bars(pl.DataFrame(rows, schema=SEGMENT_COLUMNS, orient="row")).axes
    assert [bar.get_width() for bar in recall.patches] == [0.2, 0.4, 0.5]
    assert [bar.get_width() for bar in ndcg.patches] == [0.25, 0.35]
    assert [bar.get_width() for bar in ece.patches] == [0.01, 0.02]
    beside = [bar.get_y() for bar in recall.patches[1:]]
    assert [bar.get_y() for bar in ndcg.patches] == beside, "each bar stands in the row of its segment"


def test_recall_by_k_and_differences_show_their_intervals() -> None:
    points = [Interval(0.1, 0.05, 0.2), Interval(0.3, 0.2, 0.35)]
    by_k, paired = recall_by_k({"ranker": points}, (1, 5)), differences({"a": points[0], "b": points[1]}, "gain")
    for figure, side in ((by_k, 1), (paired, 0)):
        (axes,) = figure.axes
        (bars,) = axes.containers
        drawn = [line[:, side].tolist() for line in bars.lines[2][0].get_segments()]
        assert drawn == [pytest.approx([one.low, one.high]) for one in points]


def test_a_learning_curve_draws_both_losses_where_both_were_measured() -> None:
    nan = float("nan")
    assert len(learning_curve([(0.5, 0.6), (0.4, 0.55)], "tree", "loss").axes[0].lines) == 2
    assert len(learning_curve([(nan, 0.6), (nan, 0.55)], "tree", "loss").axes[0].lines) == 1
