"""The export as the workbook that people download: all its sheets land, each line once."""

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
