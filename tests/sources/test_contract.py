"""The raw contract as it is told to a shop is the one that is applied."""

import re
from pathlib import Path

from ml.sources.contract import TABLES


def test_the_document_names_every_table_and_column_and_marks_what_is_required(repository: Path) -> None:
    text = (repository / "docs" / "raw_contract.md").read_text("utf-8")
    sections = {title: body for title, body in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", text, re.M | re.S)}
    optional = next(body for title, body in sections.items() if title.startswith("sessions"))
    for name, table in TABLES.items():
        row = re.search(rf"^\| {name} \|(.*)$", optional, re.M)
        body = row.group(1) if row else sections[name]
        for column, rule in table.columns.items():
            assert re.search(rf"\b{column}\b", body), f"{name}.{column} is not described"
            assert bool(re.search(rf"\*\*{column}\*\*", body)) == rule.required, f"{name}.{column}"
        for column in table.key:
            assert re.search(rf"{column}\*{{0,2}} †", body), f"{name}.{column} is part of the key"


def test_parents_stand_before_their_children() -> None:
    order = list(TABLES)
    for name, table in TABLES.items():
        assert all(order.index(parent) < order.index(name) for parent in (table.parents or {}).values())
