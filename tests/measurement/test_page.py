"""The report is one page that needs nothing beside it, and says what lacks."""

import base64
import re

import polars as pl

from ml.measurement.page import page
from ml.tables import DRIFT_CHECKS, EXPERIMENT_READOUTS, OFF_POLICY_VALUES, Table


def filled(table: Table, **given: object) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(table.columns), **given}], schema=dict(table.columns))


def test_the_page_holds_tables_pictures_and_reasons() -> None:
    ends = {
        f"{p}difference{e}_cents": v for p in ("", "adjusted_") for e, v in (("", 5.0), ("_low", 1.0), ("_high", 9.0))
    }
    readouts = filled(EXPERIMENT_READOUTS, measure="revenue", arm="<b>undles", **ends)
    checks = filled(
        DRIFT_CHECKS, kind="feature", subject="cents", measure="psi", value=0.31, limit_value=0.25, verdict="drifted"
    )
    lacking = {"off_policy_values": "not available: needs bundle_feedback"}
    text = page("Measurements", readouts, OFF_POLICY_VALUES.frame([]), checks, lacking)
    assert "not available: needs bundle_feedback" in text and "0.31" in text
    assert "&lt;b&gt;undles" in text and "<b>undles" not in text
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 2 and all(base64.b64decode(one).startswith(b"\x89PNG") for one in pictures)
    assert not re.search(r'(src|href)="(?!data:)', text), "nothing is fetched from elsewhere"


def test_values_stand_beside_what_was_observed() -> None:
    values = filled(
        OFF_POLICY_VALUES,
        target="uniform",
        reward="click",
        estimator="ips",
        value=0.2,
        low=0.1,
        high=0.3,
        observed=0.15,
    )
    text = page("M", EXPERIMENT_READOUTS.frame([]), values, DRIFT_CHECKS.frame([]), {})
    assert text.count("<img") == 1 and "click per impression" in text
