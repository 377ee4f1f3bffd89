"""The report ends with a line for each scenario, whatever has been published of it."""

from datetime import date

import polars as pl

from ml.stages.report import MARTS, scenario_lines

DAY = date(2017, 12, 3)
RUNS = pl.DataFrame({"scope": ["personal", "replenishment", "launch"], "run_id": [7, 8, 9], "as_of": [DAY] * 3})
JUDGED = pl.DataFrame(
    {
        "scenario": ["replenishment"] * 3,
        "kpi": ["mase", "mase", "pinball"],
        "variant": ["all", "slow movers", "all"],
        "value": [0.8123456, 0.9, 1.5],
        "low": [0.7, 0.8, None],
        "high": [0.9, 1.0, None],
        "unit": ["ratio", "ratio", "units"],
        "peer": ["seasonal_naive", "seasonal_naive", None],
        "peer_value": [1.0, 1.0, None],
    }
)


def reasons(*some: str | None) -> pl.Series:
    return pl.Series(some, dtype=pl.String)


def test_every_scenario_has_its_line() -> None:
    found = {
        "personal": reasons(None, None),
        "replenishment": reasons(None, "not available: needs stock_levels"),
        "launch": reasons("not available: needs new products"),
    }
    lines = {line[0]: line[1:] for line in scenario_lines(RUNS, found, JUDGED)}
    assert list(lines) == list(MARTS)
    assert lines["personal"] == ("run 7 of 2017-12-03", "fct_bundles: 2 rows", "")
    assert lines["launch"][1] == "not available: needs new products"
    assert lines["replenishment"][1:] == (
        "fct_replenishment: 1 rows; not available: needs stock_levels",
        "mase 0.8123 ratio [0.7, 0.9], seasonal_naive 1; mase (slow movers) 0.9 ratio [0.8, 1], seasonal_naive 1;"
        " pinball 1.5 units",
    )
    assert lines["customer_care"] == ("not published yet", "", "")


def test_a_mart_without_any_row_says_so() -> None:
    lines = scenario_lines(RUNS.head(1), {"personal": reasons()}, JUDGED.clear())
    assert lines[0] == ("personal", "run 7 of 2017-12-03", "fct_bundles: 0 rows", "")
