"""A shop's own files: what is read, what is set aside, what is refused, and what the message says."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.errors import ConfigError, NothingToDo, TemporaryError
from ml.sources import reading
from ml.sources.contract import TABLES
from ml.sources.delivery import Delivery, RefusedFile
from ml.sources.folder import Folder
from ml.sources.validation import RECORD

AS_OF = date(2017, 12, 3)


def deliver(folder: Path) -> list[Delivery]:
    return list(Folder(folder).deliveries(AS_OF, {}))


def deliver_names(source: Folder) -> list[str]:
    return [delivery.file_name for delivery in source.deliveries(AS_OF, {})]


def deliver_one(folder: Path, content: str | bytes, name: str = "customers.csv") -> Delivery:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (delivery,) = deliver(folder)
    return delivery


@pytest.mark.parametrize(
    "content",
    [
        "customer_id,segment\na,x\nb,y\n",
        "customer_id,segment\r\na,x\r\nb,y\r\n",
        "customer_id,segment\na,x\r\nb,y\n",
        "customer_id,segment\ra,x\rb,y\r",
        "\ufeffcustomer_id,segment\na,x\nb,y\n",
        "segment,customer_id\nx,a\ny,b\n",
        " Customer_ID ,SEGMENT\na,x\nb,y\n",
        '"customer_id","segment"\n"a","x"\n"b","y"\n',
        "customer_id,segment\n\na,x\n\n\nb,y\n\n",
    ],
)
def test_the_same_records_however_the_file_is_written(tmp_path: Path, content: str) -> None:
    records = deliver_one(tmp_path, content).records
    assert records.select(RECORD, "customer_id", "segment").rows() == [(1, "a", "x"), (2, "b", "y")]


def test_a_file_of_several_batches_is_read_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 2)
    for count in (3, 4):
        rows = "".join(f"c{number},s\n" for number in range(1, count + 1))
        records = deliver_one(tmp_path, f"customer_id,segment\n{rows}").records
        assert records.select(RECORD, "customer_id").rows() == [(n, f"c{n}") for n in range(1, count + 1)]


def test_quotes_commas_and_line_breaks_within_a_field_are_kept(tmp_path: Path) -> None:
    records = deliver_one(tmp_path, 'customer_id,segment\na,"say ""hi"", \nthere"\nb,\\.\n').records
    assert records["segment"].to_list() == ['say "hi", \nthere', "\\."]


def test_every_field_is_text_so_that_a_leading_zero_stays(tmp_path: Path) -> None:
    assert deliver_one(tmp_path, "customer_id\n007\n7\n1e3\n").records["customer_id"].to_list() == ["007", "7", "1e3"]


def test_a_record_with_too_few_or_too_many_fields_is_set_aside_alone(tmp_path: Path) -> None:
    delivery = deliver_one(tmp_path, "customer_id,segment\na,x\nb\nc,y,z\nd,x\n\\.\n")
    assert delivery.records[RECORD].to_list() == [1, 4]
    assert delivery.refused is not None
    assert delivery.refused.select("record_number", "reason", "column_name").rows() == [
        (2, "field_count", None),
        (3, "field_count", None),
        (5, "bad_record", None),
    ]
    assert delivery.refused["raw_record"][1] == '["c", "y", "z"]'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty_file: customers.csv"),
        (b"customer_id\n", "no_rows"),
        (b"customer_id,customer_id\na,b\n", "schema_duplicate_column"),
        (b"customer_id, Customer_Id\na,b\n", "schema_duplicate_column"),
        (b"customer_id;segment\na;x\n", "delimiter"),
        (b"customer_id\tsegment\na\tx\n", "delimiter"),
        (b"customer_id\na\ncaf\xe9\n", "encoding: customers.csv is not UTF-8 at byte 17, line 3"),
        ("customer_id\na\n".encode("utf-16"), "encoding"),
        (b'customer_id\na\n"b\nc\n', "csv_unterminated_quote: customers.csv, record that begins on line 3"),
        (b'customer_id\n"a\nc"b\n', "csv_unterminated_quote: customers.csv, record that begins on line 2"),
        (b"customer_id\na\nb", "truncated: customers.csv ends without a line break"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(RefusedFile, match=message) as refused:
        deliver_one(tmp_path, content)
    assert (refused.value.table, refused.value.file_name) == ("customers", "customers.csv")


def test_parquet_keeps_its_types_and_broken_parquet_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({"Customer_ID": [1, 2], "signed_up_on": [date(2017, 1, 1), None]})
    frame.write_parquet(tmp_path / "customers.parquet")
    (delivery,) = deliver(tmp_path)
    assert delivery.records.schema["signed_up_on"] == pl.Date
    assert delivery.records[RECORD].to_list() == [1, 2]
    (tmp_path / "customers.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(RefusedFile, match="parquet"):
        deliver(tmp_path)


def test_parents_come_before_children_and_parts_of_a_table_by_name(tmp_path: Path) -> None:
    for name in ("order_items/2.csv", "order_items/1.csv", "products.csv", "orders.csv", "notes.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"id\n{name}\n")
    (tmp_path / "order_items" / "readme.txt").write_text("not a table")
    assert [d.file_name for d in deliver(tmp_path)] == [
        "products.csv",
        "orders.csv",
        "order_items/1.csv",
        "order_items/2.csv",
    ]


@pytest.mark.parametrize("name", ["customers.json", "customers.XLSX", "customers.csv.zip", "customers/2017.tsv"])
def test_a_table_in_another_form_is_refused_rather_than_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "customers").mkdir()
    with pytest.raises(RefusedFile, match="file_type"):
        deliver_one(tmp_path, "customer_id\na\n", name)


def test_names_of_files_are_read_in_any_case_and_what_is_no_delivery_is_passed_over(tmp_path: Path) -> None:
    for name in ("CUSTOMERS.CSV", "customers.csv.bak", "customers.csv.part", "old_customers.csv", "readme.txt"):
        (tmp_path / name).write_text("customer_id\na\n")
    assert [delivery.file_name for delivery in deliver(tmp_path)] == ["CUSTOMERS.CSV"]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("file,records\ncustomers.csv,2\n", "count_mismatch: customers.csv holds 1 records, manifest.csv says 2"),
        ("file,records\ncustomers.csv,many\n", "integer_format: manifest.csv gives no number of records for customers"),
        ("file,records\norders.csv,1\n", "missing_file: manifest.csv names orders.csv"),
        ("file,rows\ncustomers.csv,1\n", "schema_missing"),
    ],
)
def test_a_delivery_that_is_not_what_its_manifest_says_is_refused(tmp_path: Path, manifest: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(manifest)
    with pytest.raises(RefusedFile, match=message):
        deliver_one(tmp_path, "customer_id\na\n")


def test_where_the_manifest_is_required_nothing_is_read_before_it_is_there_and_only_what_it_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wary = Folder(tmp_path, requires_manifest=True)
    with pytest.raises(NothingToDo, match="no file is named in manifest"):
        list(wary.deliveries(AS_OF, {}))
    (tmp_path / "customers.csv").write_text("customer_id\na\n")
    (tmp_path / "orders.csv").write_text("order_id,ordered_at\no1,2017-1")
    with pytest.raises(TemporaryError, match="2 files and no manifest"):
        list(wary.deliveries(AS_OF, {}))
    assert deliver_names(Folder(tmp_path, {"customers": TABLES["customers"]})) == ["customers.csv"]
    (tmp_path / "manifest.csv").write_text("file,records\ncustomers.csv,1\n")
    assert deliver_names(wary) == ["customers.csv"]
    assert "not read: orders.csv" in caplog.text
    (tmp_path / "manifest.csv").write_text("file,records\norders.csv,2\n")
    with pytest.raises(RefusedFile, match="count_mismatch"):
        list(wary.deliveries(AS_OF, {}))
    (tmp_path / "manifest.csv").write_text("file,records\n")
    with pytest.raises(NothingToDo, match="no file is named in manifest"):
        list(wary.deliveries(AS_OF, {}))


def test_equal_content_has_an_equal_fingerprint_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "customers").mkdir()
    first = deliver_one(tmp_path, "customer_id\na\n", "customers/a.csv").file_sha256
    (tmp_path / "customers" / "a.csv").unlink()
    assert deliver_one(tmp_path, "customer_id\na\n", "customers/b.csv").file_sha256 == first


def test_a_folder_without_tables_has_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="no file is named after a table"):
        deliver(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="BUNDLES_SOURCE__FOLDER"):
        Folder(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="BUNDLES_SOURCE__FOLDER"):
        Folder(None)
