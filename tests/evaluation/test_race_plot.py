"""The picture of the race."""

from itertools import pairwise

import polars as pl
import pytest

from ml.evaluation.race_plot import LABEL_POINTS, race_curve


def points(**gaps: list[float]) -> pl.DataFrame:
    rows = [(solver, 10.0**-step, gap) for solver, curve in gaps.items() for step, gap in enumerate(curve)]
    return pl.DataFrame(rows, ["solver", "seconds", "mean_gap_pct"], orient="row")


def test_each_solver_is_a_line_in_order_of_time() -> None:
    (axes,) = race_curve(points(exact=[0.0, 0.1, 100.0], greedy=[5.0, 5.0, 7.0])).axes
    exact, greedy = axes.lines
    assert list(exact.get_xdata()) == pytest.approx([0.01, 0.1, 1.0])
    assert list(exact.get_ydata()) == [100.0, 0.1, 0.0]
    assert list(greedy.get_ydata()) == [7.0, 5.0, 5.0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "symlog")


def test_the_name_of_a_solver_stands_at_the_end_of_its_line_in_its_colour() -> None:
    (axes,) = race_curve(points(exact=[0.0, 0.1], greedy=[5.0, 7.0])).axes
    for line, label, name in zip(axes.lines, axes.texts, ["exact", "greedy"], strict=True):
        assert label.get_text() == name
        assert label.xy == (1.0, line.get_ydata()[-1])
        assert label.get_color() == line.get_color()


def test_names_of_lines_that_end_together_do_not_cover_each_other() -> None:
    figure = race_curve(points(exact=[0.0], annealing=[0.0], genetic=[0.0], greedy=[9.0]))
    (axes,) = figure.axes
    figure.canvas.draw()
    boxes = sorted((label.get_window_extent() for label in axes.texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 for low, high in pairwise(boxes))
    assert boxes[1].y0 - boxes[0].y0 == pytest.approx(LABEL_POINTS * figure.dpi / 72, abs=2)


def test_a_gap_of_zero_lies_within_the_picture() -> None:
    (axes,) = race_curve(points(exact=[0.0, 100.0])).axes
    low, high = axes.get_ylim()
    assert low < 0 < 100 < high
