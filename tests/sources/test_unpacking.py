"""A file that unpacks to more than the limit is refused before it is unpacked."""

import io
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from ml.errors import DataError
from ml.sources.unpacking import VALUE_BYTES, check_parquet, check_workbook

FILE = Path("orders.parquet")
ROWS = 1000


def packed(*columns: object, **options: object) -> bytes:
    file = io.BytesIO()
    table = pyarrow.table({f"c{number}": column for number, column in enumerate(columns)})
    pyarrow.parquet.write_table(table, file, compression="zstd", **options)
    return file.getvalue()


def archive(*parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for number, part in enumerate(parts):
            book.writestr(f"{number}.xml", part)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "size"),
    [
        pytest.param(packed([1] * ROWS, [2.5] * ROWS), 2 * VALUE_BYTES * ROWS, id="numbers"),
        pytest.param(packed([None] * ROWS), VALUE_BYTES * ROWS, id="nothing"),
        pytest.param(packed([[1.0] * 50] * ROWS), 50 * VALUE_BYTES * ROWS, id="lists"),
        pytest.param(packed(["x" * 4000] * ROWS), 4000 * ROWS, id="a text again and again"),
        pytest.param(packed(["x" * 4000] * ROWS, ["y" * 96] * ROWS, row_group_size=100), 4096 * ROWS, id="many groups"),
        pytest.param(packed([b"x" * 400] * ROWS), 400 * ROWS, id="bytes"),
        pytest.param(
            packed(pyarrow.array([b"x" * 400] * ROWS, pyarrow.binary(400))), 400 * ROWS, id="bytes of one length"
        ),
    ],
)
def test_parquet_counts_as_what_it_unpacks_to(content: bytes, size: int) -> None:
    assert len(content) < size / 4, "it is packed"
    check_parquet(content, FILE, size)
    with pytest.raises(DataError, match=r"too_large: orders\.parquet"):
        check_parquet(content, FILE, size - 1)


def test_pages_of_texts_that_all_differ_count_by_their_footer() -> None:
    content = packed([f"{number:0500d}" for number in range(ROWS)], use_dictionary=False)
    check_parquet(content, FILE, 600 * ROWS)
    with pytest.raises(DataError, match="too_large"):
        check_parquet(content, FILE, 500 * ROWS)


def test_a_workbook_counts_as_what_its_parts_unpack_to() -> None:
    content = archive(b"x" * 10_000, b"y" * 10_000)
    check_workbook(content, FILE, 20_000)
    with pytest.raises(DataError, match="too_large"):
        check_workbook(content, FILE, 19_999)


def test_a_workbook_whose_directory_understates_a_part_is_refused() -> None:
    true, said = (size.to_bytes(4, "little") for size in (10_000, 10))
    content = archive(b"x" * 10_000)
    assert content.count(true) == 2
    with pytest.raises(DataError, match="xlsx"):
        check_workbook(content.replace(true, said), FILE, 1000)


def test_what_is_neither_is_refused_as_such() -> None:
    for check, reason in ((check_parquet, "parquet"), (check_workbook, "xlsx")):
        with pytest.raises(DataError, match=f"^{reason}: "):
            check(b"PAR1 and then nothing", FILE, 1000)
