"""Which of the shop's bundles does each customer buy whole? All are ranked, from what was known before."""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.errors import DataError
from ml.evaluation.metrics import by_customer
from ml.preference.baselines import GlobalPopularity, PersonalDecayed
from ml.preference.history import positions
from ml.settings import Settings
from ml.trials.cuts import check_cut, earlier_cut, usual_cut
from ml.trials.outcome import BEST, Outcome, chosen
from ml.trials.ranking import BLOCK_ROWS, RANKED, intervals
from ml.trials.shop import Files, baskets_of, products_of

MODELS = ("popularity", "preference", "association", "preference_association")
FALLBACK = "preference"
KS = (5, 10)
Reals = NDArray[np.float64]


def run(files: Files, cut: date | None, model: str, seed: int, settings: Settings) -> Outcome:
    """Rank the given bundles for each customer who bought one whole since the cut.

    Parameters
    ----------
    cut
        Day before which all is learned; None: the day since which the newest fifth of the baskets was filled.
    model
        ``popularity`` (mean share of baskets of the bundle's products), ``preference`` (mean decayed personal
        frequency), ``association`` (mean cosine of its pairs), ``preference_association`` (the product of the latter
        two), or ``best`` on a validation before the cut.

    Raises
    ------
    DataError
        When a table is missing, the cut lies outside the data, or nobody bought a bundle whole.
    """
    files.need("bundle_ranking", "products", "orders", "order_items", "given_bundles")
    baskets, products, bundles = baskets_of(files), products_of(files), _bundles(files)
    cut = cut or usual_cut(baskets)
    check_cut(baskets, cut)
    bought = _bought_whole(baskets.filter(pl.col("basket_on") >= cut), bundles)
    if bought.is_empty():
        raise DataError(f"bundle_ranking: nobody to judge: since {cut} no known customer bought a given bundle whole")
    validation: dict[str, float] = {}
    if model == BEST:
        past, before = baskets.filter(pl.col("basket_on") < cut), earlier_cut(baskets, cut)
        earlier = _bought_whole(past.filter(pl.col("basket_on") >= before), bundles)
        if earlier.height:
            validation = {
                name: float(_measured(name, past, products, bundles, earlier, before)[1]["ndcg_10"].mean())  # type: ignore[arg-type]
                for name in MODELS
            }
        model = chosen(validation, FALLBACK)
    ranking, table = _measured(model, baskets, products, bundles, bought, cut)
    return Outcome(
        model,
        ranking,
        intervals(table, "customer_id", seed),
        {"customers": table.height, "bundles": bundles.height, "products": products.height},
        validation,
    )


def _bundles(files: Files) -> pl.DataFrame:
    """Return ``bundle_id`` and ``product_ids`` of bundles of two or more products, ordered by bundle."""
    held = files.tables["given_bundles"].sort("bundle_id", "product_id").group_by("bundle_id", maintain_order=True)
    return held.agg(product_ids="product_id").filter(pl.col("product_ids").list.len() >= 2)


def _bought_whole(baskets: pl.DataFrame, bundles: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_id``, ``bundle_id`` of bundles all of whose products lay in one basket of the customer."""
    known = baskets.filter(pl.col("customer_id").is_not_null())
    lines = known.select("basket_id", "customer_id", product_id="product_ids").explode("product_id")
    parts = bundles.with_columns(size=pl.col("product_ids").list.len()).explode("product_ids")
    met = lines.join(parts, left_on="product_id", right_on="product_ids")
    whole = (
        met.group_by("basket_id", "customer_id", "bundle_id", "size")
        .len("held")
        .filter(pl.col("held") == pl.col("size"))
    )
    return whole.select("customer_id", "bundle_id").unique().sort("customer_id", "bundle_id")


def _measured(
    model: str,
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    bundles: pl.DataFrame,
    bought: pl.DataFrame,
    cut: date,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the best places of bundles for each customer who bought one, and each customer's metrics."""
    before = baskets.filter(pl.col("basket_on") < cut)
    names = bundles["product_ids"].explode().unique().sort()
    parts = bundles.with_row_index("row").explode("product_ids")
    share = 1 / bundles["product_ids"].list.len().to_numpy()[parts["row"].to_numpy()]
    # Column b has 1 / size at each product of bundle b: a row of preferences times it is the mean over the bundle.
    mean = sparse.csc_matrix(
        (share, (positions(parts["product_ids"], names), parts["row"].to_numpy())), (len(names), bundles.height)
    )
    asked = bought["customer_id"].unique().sort()
    one = pl.DataFrame({"customer_id": asked[:1], "cut": [cut]}).join(names.alias("product_id").to_frame(), how="cross")
    popular = GlobalPopularity().fit(before, products, one).score(before, products, one) @ mean
    together = _association(before, bundles, names.to_list())
    order = np.lexsort((np.arange(bundles.height), -popular))
    frames = []
    step = max(1, BLOCK_ROWS // max(len(names), bundles.height))
    for start in range(0, len(asked), step):
        block = asked[start : start + step]
        scores = np.broadcast_to(popular if model == "popularity" else together, (len(block), bundles.height))
        if model.startswith("preference"):
            grid = block.to_frame().with_columns(cut=pl.lit(cut)).join(
                names.alias("product_id").to_frame(), how="cross", maintain_order="left_right"
            )  # fmt: skip
            liked = PersonalDecayed().fit(before, products, grid).score(before, products, grid)
            scores = liked.reshape(len(block), len(names)) @ mean
            scores = scores * together if model == "preference_association" else scores
        best = order[np.argsort(-scores[:, order], axis=1, kind="stable")[:, :RANKED]]
        rows = np.repeat(np.arange(len(block)), best.shape[1])
        frames.append(pl.DataFrame({
            "question_id": block.gather(rows),
            "bundle_id": bundles["bundle_id"].gather(best.ravel()),
            "place": np.tile(np.arange(1, best.shape[1] + 1, dtype=np.int32), len(block)),
            "score": scores[rows, best.ravel()],
        }))  # fmt: skip
    ranking = pl.concat(frames)
    return ranking, _judged(ranking, bought)


def _association(before: pl.DataFrame, bundles: pl.DataFrame, names: list[str]) -> Reals:
    """Return the (bundles,) mean cosine of baskets over each bundle's pairs."""
    pairs = fit_cooccurrence(index_baskets(before, names), CooccurrenceParams(min_pair_baskets=1)).matrix("cosine")
    known = pl.Series(names)
    blocks = [pairs.block(positions(pl.Series(held), known)) for held in bundles["product_ids"].to_list()]
    return np.array([block.sum() / (len(block) * (len(block) - 1)) for block in blocks])


def _judged(ranking: pl.DataFrame, bought: pl.DataFrame) -> pl.DataFrame:
    hits = bought.with_columns(is_bought=pl.lit(True))
    scored = (
        ranking.join(hits, left_on=["question_id", "bundle_id"], right_on=["customer_id", "bundle_id"], how="left")
        .with_columns(pl.col("is_bought").fill_null(False))
        .select("is_bought", customer_id="question_id", product_id="bundle_id", preference=-pl.col("place"))
    )
    return by_customer(scored, bought.group_by("customer_id").len("products"), KS)
