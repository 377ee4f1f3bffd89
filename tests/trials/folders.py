"""Tiny folders in the raw contract, written as a shop would write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ml.settings import Settings
from ml.trials.run import Trial
from ml.trials.shop import Files, read_files

SETTINGS = Settings()


def write(folder: Path, table: str, header: str, rows: Sequence[str]) -> None:
    """Write ``<table>.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{table}.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")


def write_catalogue(folder: Path, products: Sequence[str]) -> None:
    """Write products without titles or categories."""
    write(folder, "products", "product_id", products)


def write_orders(folder: Path, orders: Sequence[tuple[str | None, str | None, str]]) -> None:
    """Write orders given as customer, day and the products' letters; without days where the first has none."""
    timed = orders[0][1] is not None
    header = "order_id,customer_id" + (",ordered_at" if timed else "")
    rows = [f"o{k},{who or ''}" + (f",{day}" if timed else "") for k, (who, day, _) in enumerate(orders)]
    write(folder, "orders", header, rows)
    lines = [f"o{k},{product}" for k, (_, _, held) in enumerate(orders) for product in held]
    write(folder, "order_items", "order_id,product_id", lines)


def write_habits(folder: Path) -> str:
    """Write a shop where customer k buys product k each week, and others in turn; return the products' names."""
    names = "abcdefghijklmnopqrst"
    orders = [
        (f"c{k}", f"2020-{month:02d}-{day:02d}", names[k] + names[(k * 7 + month * 3 + day) % 20])
        for month in range(1, 7) for day in (3, 10, 17, 24) for k in range(12)
    ]  # fmt: skip
    write_catalogue(folder, names)
    write_orders(folder, [(who, on, "".join(sorted(set(held)))) for who, on, held in orders])
    return names


def read(folder: Path) -> Files:
    """Return the folder's tables under the usual limit."""
    return read_files(folder, SETTINGS.source.quarantine_limit_share)


def trial(folder: Path, **asked: object) -> Trial:
    """Return a trial that writes into the folder."""
    usual: Mapping[str, object] = {
        "path": folder,
        "cut": None,
        "model": "best",
        "seed": 0,
        "out": folder / "metrics.json",
        "predictions": folder / "predictions.parquet",
    }
    return Trial(**{**usual, **asked})  # type: ignore[arg-type]
