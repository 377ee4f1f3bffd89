"""Real data sets as folders in the raw contract, where they lie beside the repository."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from ml.sources.online_retail import OnlineRetail
from ml.sources.validation import RECORD

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RETAIL, ELECTRONICS = Path("online_retail_ii") / "online_retail.parquet", Path("bundle_intent_electronic")
NEGATIVES = 99


def has_retail() -> bool:
    """Return whether Online Retail II is at hand; say so where it is not."""
    return _has(DATA / RETAIL, "Online Retail II")


def has_electronics() -> bool:
    """Return whether BundleRec electronics is at hand; say so where it is not."""
    return _has(DATA / ELECTRONICS, "BundleRec electronics")


def _has(path: Path, name: str) -> bool:
    if not path.exists():
        print(f"skipped: data not found: {name}")
    return path.exists()


def write_retail(folder: Path) -> None:
    """Write Online Retail II (UCI, CC BY 4.0) as the source ``online_retail`` lands it, returns and all."""
    path = DATA / RETAIL
    last = date.fromisoformat(pl.scan_parquet(path).select(pl.col("InvoiceDate").str.head(10).max()).collect().item())
    for delivery in OnlineRetail(path).deliveries(last, {}):
        delivery.records.drop(RECORD).write_parquet(folder / f"{delivery.table}.parquet")


def write_electronics(folder: Path, seed: int) -> None:
    """Write the electronics part of BundleRec (Sun et al., 2022, Revisiting bundle recommendation, SIGIR).

    What its users bundled in training sessions are orders; the bundles of test sessions (number % 10 == 0) and
    validation sessions (1) are partial baskets that lack their last-listed product, to be found among 99 others drawn
    by seed. Sessions are events, their bundles given bundles.
    """
    raw = {file.stem: pl.read_csv(file, infer_schema=False) for file in (DATA / ELECTRONICS).glob("*.csv")}
    bundles = raw["bundle_item"].rename({"bundle ID": "bundle_id", "item ID": "product_id"}).unique(maintain_order=True)
    seen = raw["session_item"].rename({"session ID": "session_id", "item ID": "product_id"}).unique(maintain_order=True)
    made = raw["session_bundle"].rename({"session ID": "session_id", "bundle ID": "bundle_id"})
    tenth = pl.col("session_id").cast(pl.Int64) % 10
    made = made.with_columns(
        part=pl.when(tenth == 0)
        .then(pl.lit("test"))
        .when(tenth == 1)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    catalogue = (
        pl.concat(
            [bundles.select("product_id"), seen.select("product_id"), raw["item_titles"].select(product_id="item ID")]
        )
        .unique()
        .join(raw["item_titles"].rename({"item ID": "product_id", "titles": "title"}), on="product_id", how="left")
        .join(raw["item_categories"].rename({"item ID": "product_id"}), on="product_id", how="left")
        .with_columns(
            category_path=pl.col("categories")
            .str.strip_chars("[]")
            .str.split("],[")
            .list.first()
            .str.replace_all(",", " > ")
        )
        .unique("product_id")
        .sort("product_id")
    )
    catalogue.select("product_id", "title", "category_path").write_csv(folder / "products.csv")
    bundles.select("bundle_id", "product_id").write_csv(folder / "given_bundles.csv")
    made.write_csv(folder / "session_bundles.csv")
    seen.with_row_index("event_id").write_csv(folder / "events.csv")
    # Orders of nobody known: the bundles of one user and day would else become one basket.
    orders = made.filter(pl.col("part") == "train").unique("bundle_id", maintain_order=True)
    orders.select(order_id="bundle_id").write_csv(folder / "orders.csv")
    orders.select(order_id="bundle_id").join(
        bundles.rename({"bundle_id": "order_id"}), on="order_id", maintain_order="left"
    ).write_csv(folder / "order_items.csv")
    _write_questions(folder, bundles, made, raw["item_titles"]["item ID"].unique().sort().to_list(), seed)


def _write_questions(folder: Path, bundles: pl.DataFrame, made: pl.DataFrame, products: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    shown, listed = [], []
    asked = made.filter(pl.col("part") != "train").unique("bundle_id", maintain_order=True)
    held = dict(bundles.group_by("bundle_id", maintain_order=True).agg("product_id").iter_rows())
    for bundle, part in asked.select("bundle_id", "part").iter_rows():
        *others, answer = held[bundle]
        drawn = [product for product in rng.permutation(products) if product not in held[bundle]][:NEGATIVES]
        shown += [(bundle, product, part) for product in others]
        listed += [(bundle, answer, "true"), *((bundle, product, "false") for product in drawn)]
    pl.DataFrame(shown, schema=["basket_id", "product_id", "part"], orient="row").write_csv(
        folder / "partial_baskets.csv"
    )
    pl.DataFrame(listed, schema=["basket_id", "product_id", "is_answer"], orient="row").write_csv(
        folder / "basket_candidates.csv"
    )
