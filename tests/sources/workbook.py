"""The smallest workbook that a reader of spreadsheets takes, so that no package is needed to write one."""

import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> None:
    """Write sheets of a header and lines; texts like 2009-12-01 07:45:00 become cells of a date, as in the export."""
    relations = [f'<Relationship Id="r{n}" Type="{OFFICE}/worksheet" Target="{n}.xml"/>' for n in range(len(sheets))]
    relations.append(f'<Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/>')
    named = [f'<sheet name="{name}" sheetId="{n + 1}" r:id="r{n}"/>' for n, name in enumerate(sheets)]
    files = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{WORKBOOK}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Type="{OFFICE}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{"".join(named)}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{"".join(relations)}</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="2">'
        '<xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
    } | {f"xl/{n}.xml": _sheet(lines) for n, lines in enumerate(sheets.values())}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in files.items():
            book.writestr(name, content)


def _sheet(lines: Sequence[Sequence[object]]) -> str:
    width = len(lines[0]) if lines else len(HEADER)
    rows = [
        f'<row r="{n}">{"".join(_cell(f"{chr(65 + k)}{n}", value) for k, value in enumerate(line))}</row>'
        for n, line in enumerate([HEADER[:width], *lines], start=1)
    ]
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(rows)}</sheetData></worksheet>'


def _cell(place: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    try:
        days = (datetime.fromisoformat(str(value)) - datetime(1899, 12, 30)).total_seconds() / 86_400
    except ValueError:
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
    return f'<c r="{place}" s="1"><v>{days!r}</v></c>'
