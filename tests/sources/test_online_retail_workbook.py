"""The export as the workbook that people download: all its sheets land, each line once."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.sources.delivery import RefusedFile
from ml.sources.online_retail import OnlineRetail
from ml.sources.validation import RECORD
from tests.sources.retail import COLUMNS, LAST, LINES, Shop
from tests.sources.workbook import write_workbook


def test_the_workbook_lands_as_its_sheets_do_and_what_stands_in_both_once(tmp_path: Path) -> None:
    pl.DataFrame(LINES, COLUMNS, orient="row", infer_schema_length=None).write_csv(tmp_path / "export.csv")
    shop = Shop().load(tmp_path / "export.csv", LAST)
    lines = [line for line in LINES if line[4] != "some day"]
    write_workbook(tmp_path / "export.xlsx", {"Year 2009-2010": lines[:6], "Year 2010-2011": [*lines[4:]]})
    found = Shop().load(tmp_path / "export.xlsx", LAST)
    plain = ("order_id", "product_id", "quantity", "unit_price_cents", "discount_cents")
    wanted = shop["order_items"].select(plain).sort(plain)
    assert found["order_items"].select(plain).sort(plain).equals(wanted)
    assert (
        found["orders"]
        .select("order_id", "customer_id", "ordered_at")
        .sort("order_id")
        .equals(shop["orders"].select("order_id", "customer_id", "ordered_at").sort("order_id"))
    )
    assert max(found["order_items"][RECORD]) == len(lines) + 2, "lines are counted through all sheets"


@pytest.mark.parametrize(
    ("sheets", "reason"),
    [({}, "xlsx"), ({"One": []}, "no_rows"), ({"One": LINES[:2], "Two": [LINES[2][:5]]}, "schema_missing:price")],
)
def test_a_workbook_of_another_form_is_refused(tmp_path: Path, sheets: dict, reason: str) -> None:
    if sheets:
        write_workbook(tmp_path / "export.xlsx", sheets)
    else:
        (tmp_path / "export.xlsx").write_bytes(b"no workbook")
    with pytest.raises(RefusedFile, match=reason):
        list(OnlineRetail(tmp_path / "export.xlsx").deliveries(LAST, {}))


@pytest.mark.parametrize("ending", ["xlsx", "parquet", "csv"])
def test_an_export_that_unpacks_to_more_than_the_limit_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"export.{ending}"
    lines = [(*LINES[0][:2], "x" * 4000, *LINES[0][3:])] * 100
    frame = pl.DataFrame(lines, COLUMNS, orient="row", infer_schema_length=None)
    if ending == "xlsx":
        write_workbook(path, {"One": lines})
    elif ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    assert (path.stat().st_size < 200_000) == (ending != "csv"), "both others are packed"
    assert list(OnlineRetail(path).deliveries(date(2009, 12, 1), {})) != []
    with pytest.raises(RefusedFile, match=f"too_large: export.{ending}"):
        list(OnlineRetail(path, largest=200_000).deliveries(date(2009, 12, 1), {}))
