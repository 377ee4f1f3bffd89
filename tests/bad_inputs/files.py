"""The catalogue, first part: whole files (1 to 27)."""

import gzip
import io
import zipfile
from collections.abc import Callable

import polars as pl

from tests.bad_inputs.case import Case, Folder, Row, csv_of

Change = Callable[[bytes], bytes]
ONE = [{"customer_id": "b1", "segment": "x"}]


def changed(change: Change, name: str = "customers.csv", rows: list[Row] = ONE) -> Callable[[list[Row]], list[Folder]]:
    """Return a builder of the file of all good records and ``rows``, with its bytes changed."""
    return lambda good: [{name: change(csv_of("customers", [*good, *rows]))}]


def stated(change: Change, count: Callable[[int], int]) -> Callable[[list[Row]], list[Folder]]:
    """Return a builder of a changed file beside a manifest that states its records."""

    def build(good: list[Row]) -> list[Folder]:
        manifest = f"file,records\ncustomers.csv,{count(len(good))}\n".encode()
        return [{"customers.csv": change(csv_of("customers", [*good, *ONE])), "manifest.csv": manifest}]

    return build


def twice(first: bytes, second: bytes) -> Callable[[list[Row]], list[Folder]]:
    """Return a builder of two loads of a file of one name, in which lines are added to the good ones."""
    return lambda good: [{"customers.csv": csv_of("customers", [*good, *ONE]) + more} for more in (first, second)]


def with_line(line: bytes) -> Change:
    """Return a change that adds a line after the header."""
    return lambda content: content.replace(b"\n", b"\n" + line, 1)


def renamed(old: bytes, new: bytes) -> Change:
    """Return a change of the header."""
    return lambda content: content.replace(old, new, 1)


def zipped(content: bytes, *names: str) -> bytes:
    """Return an archive with the content under each name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def bomb(content: bytes) -> bytes:
    """Return 3 MB of the same line, packed into some kilobytes."""
    return gzip.compress(content + b"b2,x\n" * 600_000, mtime=0)


def parquet_of(column: str, values: list[object]) -> Callable[[list[Row]], list[Folder]]:
    """Return a builder of a Parquet file with the good products and more, of which one column takes the room."""

    def build(good: list[Row]) -> list[Folder]:
        keys = [*(str(row["product_id"]) for row in good), *map(str, range(len(values)))]
        file = io.BytesIO()
        frame = pl.DataFrame({"product_id": keys, column: [*values[:1] * len(good), *values]})
        frame.write_parquet(file, compression="zstd")
        return [{"products.parquet": file.getvalue()}]

    return build


NO_DELIVERY = "the names of files say nothing about days here: a record from the future is set aside (59)"
REUSED = "a nightly export overwrites its files: each record is compared with what landed"
LANDS = {"customer_id": "b1", "segment": "x"}

FILES = [
    Case(1, "no bytes", "F", reason="empty_file", folders=lambda good: [{"customers.csv": b""}]),
    Case(2, "a header only", "F", reason="no_rows", folders=lambda good: [{"customers.csv": b"customer_id\n"}]),
    Case(
        2,
        "a header only, and the manifest says 0",
        "A",
        "products",
        records=0,
        folders=lambda good: [
            {
                "products.csv": csv_of("products", good) if good else b"product_id\n",
                "manifest.csv": f"file,records\nproducts.csv,{len(good)}\n".encode(),
            }
        ],
    ),
    Case(
        3,
        "a required column is missing",
        "F",
        reason="schema_missing:customer_id",
        folders=changed(renamed(b"customer_id", b"customer")),
    ),
    Case(
        3,
        "no header, where a column too many is refused",
        "F",
        reason="schema_missing:customer_id",
        folders=changed(lambda content: content.partition(b"\n")[2], rows=[*ONE, {"customer_id": "b2"}]),
        settings={"refuses_unknown_columns": True},
    ),
    Case(
        4,
        "a column too many",
        "N",
        rows=[{"customer_id": "b1", "segment": "x", "shoe_size": "44"}],
        lands=LANDS,
        notes={"unknown_columns": 1},
    ),
    Case(
        4,
        "a column too many, where that is refused",
        "F",
        reason="schema_extra",
        rows=[{"customer_id": "b1", "shoe_size": "44"}],
        settings={"refuses_unknown_columns": True},
    ),
    Case(
        5,
        "columns in another order",
        "N",
        lands=LANDS,
        folders=lambda good: [{"customers.csv": csv_of("customers", [*good, *ONE], ["segment", "customer_id"])}],
    ),
    Case(
        6,
        "two columns of one name",
        "F",
        reason="schema_duplicate_column",
        folders=changed(renamed(b"segment", b"customer_id")),
    ),
    Case(7, "a header in capitals and blanks", "N", lands=LANDS, folders=changed(renamed(b"segment", b" SEGMENT "))),
    Case(
        7,
        "two columns that differ only by case",
        "F",
        reason="schema_duplicate_column",
        folders=changed(renamed(b"segment", b" Customer_ID")),
    ),
    Case(8, "a byte order mark", "N", lands=LANDS, folders=changed(lambda content: b"\xef\xbb\xbf" + content)),
    Case(9, "UTF-16", "F", reason="encoding", folders=changed(lambda content: content.decode().encode("utf-16"))),
    Case(
        9,
        "UTF-16 without a mark",
        "F",
        reason="encoding",
        folders=changed(lambda content: content.decode().encode("utf-16-le")),
    ),
    Case(10, "latin-1", "F", reason="encoding", folders=changed(lambda content: content + b"b2,caf\xe9\n")),
    Case(11, "CRLF", "N", lands=LANDS, folders=changed(lambda content: content.replace(b"\n", b"\r\n"))),
    Case(12, "LF and CRLF", "N", lands=LANDS, folders=changed(lambda content: content.replace(b"\n", b"\r\n", 1))),
    Case(13, "CR alone", "N", lands=LANDS, folders=changed(lambda content: content.replace(b"\n", b"\r"))),
    Case(
        14,
        "a line break within quotes",
        "A",
        rows=[{"customer_id": "b1", "segment": "two\nlines"}],
        lands={"segment": "two\nlines"},
    ),
    Case(
        15, "a quote that is never closed", "F", reason="csv_unterminated_quote", folders=changed(with_line(b'b2,"x\n'))
    ),
    Case(
        15,
        "a quote that is closed lines later, by the next one",
        "F",
        reason="csv_unterminated_quote",
        folders=changed(lambda content: with_line(b'b2,"x\n')(content) + b'b3,"y"\n'),
    ),
    Case(16, "doubled quotes", "A", rows=[{"customer_id": "b1", "segment": 'say "hi"'}], lands={"segment": 'say "hi"'}),
    Case(
        16,
        "a quote behind a backslash",
        "Q",
        reason="csv_format",
        records=2,
        folders=changed(with_line(b'b2,"say \\"hi\\" now"\n')),
    ),
    Case(17, "semicolons", "F", reason="delimiter", folders=changed(lambda content: content.replace(b",", b";"))),
    Case(17, "tabs", "F", reason="delimiter", folders=changed(lambda content: content.replace(b",", b"\t"))),
    Case(
        18,
        "a line of backslash and point",
        "Q",
        reason="bad_record",
        records=2,
        folders=changed(with_line(b"\\.\n")),
    ),
    Case(19, "blank lines", "N", lands=LANDS, notes={"blank_lines": 2}, folders=changed(with_line(b"\n\n"))),
    Case(
        19,
        "rows of commas below the table",
        "N",
        lands=LANDS,
        notes={"blank_lines": 2},
        folders=changed(lambda content: content + b",\n,\n"),
    ),
    Case(
        20,
        "a field too many and a field too few",
        "Q",
        reason="field_count",
        records=3,
        set_aside=2,
        folders=changed(lambda content: content + b"b2,x,y\nb3\n"),
    ),
    Case(21, "no line break at the end", "F", reason="truncated", folders=changed(lambda content: content[:-1])),
    Case(
        21,
        "no line break at the end, and the manifest agrees",
        "A",
        lands=LANDS,
        folders=stated(lambda content: content[:-1], lambda good: good + 1),
    ),
    Case(22, "gzip", "A", lands=LANDS, folders=changed(gzip.compress, "customers.csv.gz")),
    Case(
        22,
        "gzip, cut off",
        "F",
        reason="truncated_archive",
        folders=changed(lambda content: gzip.compress(content)[:-9], "customers.csv.gz"),
    ),
    Case(
        22,
        "gzip with a wrong check sum",
        "F",
        reason="truncated_archive",
        folders=changed(lambda content: gzip.compress(content)[:-8] + bytes(8), "customers.csv.gz"),
    ),
    Case(
        23,
        "a gzip bomb",
        "F",
        reason="too_large",
        settings={"largest_file_mb": 1},
        folders=changed(bomb, "customers.csv.gz"),
    ),
    Case(
        23,
        "a file larger than allowed",
        "F",
        reason="too_large",
        settings={"largest_file_mb": 1},
        folders=changed(lambda content: gzip.decompress(bomb(content))),
    ),
    *[
        Case(
            23,
            f"Parquet of {what}, packed into some kilobytes",
            "F",
            "products",
            reason="too_large: products.parquet unpacks to more",
            settings={"largest_file_mb": 1},
            folders=parquet_of(column, values),
        )
        for what, column, values in (
            ("numbers", "price_cents", [500] * 200_000),
            ("a text again and again", "title", ["x" * 4000] * 1000),
            ("texts that differ a little", "title", [f"{n:04000d}" for n in range(1000)]),
        )
    ],
    Case(
        24,
        "a workbook under the name of a table",
        "F",
        reason="file_type",
        folders=changed(lambda content: zipped(content, "sheet.xml"), "customers.xlsx"),
    ),
    Case(
        24,
        "a zip archive named .csv",
        "F",
        reason="file_type",
        folders=changed(lambda content: zipped(content, "a.csv", "b.csv")),
    ),
    Case(
        24,
        "an archive with two members",
        "F",
        reason="file_type",
        folders=changed(lambda content: zipped(content, "a.csv", "b.csv"), "customers.zip"),
    ),
    Case(
        24,
        "an archive with a path out of it",
        "F",
        reason="file_type",
        folders=changed(lambda content: zipped(content, "../../x.csv"), "customers.zip"),
    ),
    Case(25, "the same file twice", "D", folders=twice(b"", b"")),
    Case(
        25,
        "the same name, other content",
        "A",
        folders=twice(b"b2,old\n", b"b3,new\n"),
        lands={"customer_id": "b3"},
        instead=REUSED,
        records=2,
        again=lambda good: good + 1,
    ),
    Case(
        26,
        "a day in the name that is yet to come",
        "A",
        folders=changed(lambda content: content, "customers/2099-01-01.csv"),
        lands=LANDS,
        instead=NO_DELIVERY,
    ),
    Case(
        27,
        "a record less than the manifest says",
        "F",
        reason="count_mismatch",
        folders=stated(lambda content: content, lambda good: good + 2),
    ),
    Case(
        27,
        "a record more than the manifest says",
        "F",
        reason="count_mismatch",
        folders=stated(lambda content: content, lambda good: good),
    ),
    Case(
        27,
        "a file of the manifest is missing",
        "F",
        reason="missing_file",
        folders=lambda good: [
            {"customers.csv": csv_of("customers", good or ONE), "manifest.csv": b"file,records\norders.csv,3\n"}
        ],
    ),
]
