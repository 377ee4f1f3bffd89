"""Public data sets become folders that a trial can read."""

import sys
from pathlib import Path

import polars as pl
import pytest

from benchmarks import own_data, own_folders
from ml.trials.questions import given_questions
from ml.trials.shop import baskets_of, products_of, read_files


def test_without_the_data_the_benchmark_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own_folders, "DATA", tmp_path)
    monkeypatch.setattr(sys, "argv", ["own_data"])
    own_data.main()
    assert capsys.readouterr().out == "skipped: data not found: Online Retail II\n"


def test_retail_lands_as_by_its_source_returns_are_netted_and_bookings_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_folders, "DATA", tmp_path)
    (tmp_path / own_folders.RETAIL).parent.mkdir()
    pl.DataFrame({
        "Invoice": ["1", "1", "2", "C3", "4"], "StockCode": ["85a", "22", "85A ", "22", "22"],
        "Description": ["MUG", None, "MUG", "PAN", "PAN"], "Quantity": [2, 3, 5, -1, 1],
        "InvoiceDate": ["2009-12-01 07:45:00"] * 5, "Price": [1.25, 2.0, 1.0, 2.0, 0.0],
        "Customer ID": [7.0, 7.0, None, 7.0, None], "Country": ["France"] * 5,
    }).write_parquet(tmp_path / own_folders.RETAIL)  # fmt: skip
    folder = tmp_path / "folder"
    folder.mkdir()
    own_folders.write_retail(folder)
    files = read_files(folder, 0.0)
    found = baskets_of(files).select("customer_id", "product_ids", "quantities", "paid_cents").rows()
    assert found == [(None, ["85A"], [5], [500]), ("7", ["22", "85A"], [2, 2], [400, 250])]


def test_bundles_of_test_sessions_are_questions_and_teach_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_folders, "DATA", tmp_path)
    source, folder = tmp_path / own_folders.ELECTRONICS, tmp_path / "folder"
    source.mkdir()
    folder.mkdir()
    names = [f"i{k:03d}" for k in range(150)]
    held = {"b0": ["i002", "i001"], "b1": ["i003", "i004"], "b2": ["i005", "i006"]}
    sessions = {"10": "b0", "21": "b1", "32": "b2"}
    tables = {
        "bundle_item": ["bundle ID,item ID", *(f"{b},{i}" for b, items in held.items() for i in items)],
        "session_item": ["session ID,item ID", *(f"{s},{i}" for s, b in sessions.items() for i in [*held[b], "extra"])],
        "session_bundle": ["session ID,bundle ID", *(f"{s},{b}" for s, b in sessions.items())],
        "item_titles": ["item ID,titles", *(f"{i},thing" for i in names)],
        "item_categories": ["item ID,categories", *(f'{i},"[[A,B],[C]]"' for i in names)],
    }
    for name, lines in tables.items():
        (source / f"{name}.csv").write_text("\n".join(lines) + "\n")
    own_folders.write_electronics(folder, 0)
    files = read_files(folder, 0.0)
    assert baskets_of(files)["product_ids"].to_list() == [["i005", "i006"]]
    products = products_of(files)
    assert products.height == 151 and set(products["category_path"].drop_nulls()) == {"A > B"}
    partial = files.tables["partial_baskets"]
    assert dict(partial.select("basket_id", "part").iter_rows()) == {"b0": "test", "b1": "validation"}
    (first, second) = given_questions(partial, files.tables["basket_candidates"], products["product_id"])
    assert [products["product_id"][int(code)] for code in first.shown] == ["i002"]
    assert [products["product_id"][one.hidden] for one in (first, second)] == ["i001", "i004"]  # type: ignore[index]
    assert len(first.among(151)) == 100
