"""Which products may enter a customer's bundle, and who proposed them.

A *request* is a customer and a cut: everything is taken from baskets dated strictly before the cut, so the same
function serves training examples, backtests and today's bundles. Beside its sources each candidate carries two
co-purchase scores, which the ranker takes as features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.errors import ConfigError
from ml.influence import counted
from ml.spread import basket_spreads

SOURCES = ("bought", "popular", "co_purchased", "category", "new", "asked")
BOUGHT, POPULAR, CO_PURCHASED, CATEGORY, NEW, ASKED = (1 << bit for bit in range(len(SOURCES)))
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "cut": pl.Date,
    "product_id": pl.String,
    "sources": pl.List(pl.String),
    "co_purchase": pl.Float32,
    "co_purchase_last": pl.Float32,
    "basket_spread": pl.Float64,
}

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CandidateParams:
    """How many products each source proposes for a request.

    Parameters
    ----------
    popular
        Products in most baskets of the last ``window_days``. Default 120.
    co_purchased
        Products never bought by the customer, bought most with what they buy. Default 60.
    categories, per_category
        Most popular unbought products of the customer's main categories. Default 3 x 10.
    new, window_days
        Products launched, or first sold, within so many days, which is what counts as recent. Default 20 and 28.
    evident_baskets
        New products in fewer baskets have half of ``new`` to themselves: popularity cannot propose them. Default 50.
    neighbours, min_pair_baskets
        Products kept for each product in the co-purchase scores, and the evidence a pair needs. Default 100 and 3.
    decay_days
        Age at which a basket counts 1/e in a customer's taste. Default 180.

    Raises
    ------
    ConfigError
        When ``popular`` is below 1 or another number negative.
    """

    popular: int = 120
    co_purchased: int = 60
    categories: int = 3
    per_category: int = 10
    new: int = 20
    window_days: int = 28
    evident_baskets: int = 50
    neighbours: int = 100
    min_pair_baskets: int = 3
    decay_days: float = 180.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if getattr(self, name) < (1 if name in ("popular", "window_days", "decay_days") else 0):
                raise ConfigError(f"candidates.{name}: got {getattr(self, name)}, which is too small")


def propose(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    requests: pl.DataFrame,
    params: CandidateParams | None = None,
    asked: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the candidates of each request.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``; those without a customer count for popularity and co-purchase, giant ones and
        those that :func:`ml.influence.counted` leaves out only for the customer's own taste.
    products
        Rows of ``features.ftr_products``; only those with ``is_bundleable`` are proposed.
    requests
        ``customer_id``, ``cut`` (date); customers without baskets get what needs no history.
    asked
        ``customer_id``, ``product_id`` to be proposed in any case, as far as they are bundleable: what a form names, or
        what a live bundle holds.

    Returns
    -------
    Frame of ``SCHEMA``, ordered by customer, cut, product. ``co_purchase`` and ``co_purchase_last`` are sums over
    the customer's products (weighted by decayed frequency; or those of the last basket) of the cosine of baskets;
    ``basket_spread`` is the customer's, of :func:`ml.spread.basket_spreads`.
    """
    return _collect(baskets, products, requests, params or CandidateParams(), asked)


def whole_catalogue(
    baskets: pl.DataFrame, products: pl.DataFrame, requests: pl.DataFrame, params: CandidateParams | None = None
) -> pl.DataFrame:
    """Return every bundleable product as a candidate of each request, in the form of :func:`propose`.

    Products that no source proposed have an empty list of sources.
    """
    return _collect(baskets, products, requests, params or CandidateParams(), None, whole=True)


def _collect(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    requests: pl.DataFrame,
    params: CandidateParams,
    asked: pl.DataFrame | None,
    whole: bool = False,
) -> pl.DataFrame:
    catalogue = products.filter("is_bundleable").sort("product_id")
    lines = (
        baskets.with_row_index("basket")
        .select("basket", "customer_id", "basket_on", "is_giant", product_id="product_ids")
        .explode("product_id")
        .join(catalogue.select("product_id").with_row_index("product"), on="product_id")
        .drop("product_id")
    )
    parts = [
        part
        for (cut,), group in requests.unique().sort("cut").group_by("cut", maintain_order=True)
        for part in _propose_at(cut, lines, catalogue, group["customer_id"].sort(), params, asked, whole)
    ]
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    return pl.concat(parts).sort("customer_id", "cut", "product_id")


def _propose_at(
    cut: date,
    lines: pl.DataFrame,
    catalogue: pl.DataFrame,
    customers: pl.Series,
    params: CandidateParams,
    asked: pl.DataFrame | None,
    whole: bool,
) -> Iterator[pl.DataFrame]:
    age = (pl.lit(cut) - pl.col("basket_on")).dt.total_days()
    before = lines.filter(pl.col("basket_on") < cut).with_columns(age=age)
    ordinary = before.filter(~pl.col("is_giant")).unique("basket", keep="first", maintain_order=True)
    everybody = before.join(counted(ordinary), on="basket", how="semi", maintain_order="left")
    order, sold = _by_popularity(everybody, catalogue.height, params.window_days)
    common = np.zeros(catalogue.height, np.uint8)
    best_sellers = order[sold[order]]
    common[best_sellers[: params.popular]] |= POPULAR
    common[_newcomers(cut, everybody, catalogue, order, params)] |= NEW
    near, spread = _neighbours(everybody, catalogue.height, params), basket_spreads(everybody, customers)
    taste, last = _tastes(before, customers, catalogue.height, params.decay_days)
    shelf, category_of = _shelves(catalogue, best_sellers, params.per_category)
    asked_of, asked_product = _asked(asked, customers, catalogue)
    step = max(1, 4_000_000 // max(1, catalogue.height))  # keeps the dense scores of a block near 16 MB
    for start in range(0, len(customers), step):
        block = slice(start, start + step)
        liking = (taste[block] @ near).toarray()
        marks = np.repeat(common[None, :], liking.shape[0], axis=0)
        owned = taste[block].tocoo()
        marks[owned.row, owned.col] |= BOUGHT
        is_here = (asked_of >= start) & (asked_of < start + step)
        marks[asked_of[is_here] - start, asked_product[is_here]] |= ASKED
        _mark_best(marks, liking, params.co_purchased)
        _mark_shelves(marks, taste[block], shelf, category_of, params.categories)
        rows, columns = np.nonzero(marks | np.uint8(1 << 7) if whole else marks)
        liking_last = (last[block] @ near).toarray()
        yield pl.DataFrame(
            {
                "customer_id": customers.gather(rows + start),
                "cut": pl.repeat(cut, rows.size, dtype=pl.Date, eager=True),
                "product_id": catalogue["product_id"].gather(columns),
                "sources": _SOURCE_LISTS.gather(marks[rows, columns]),
                "co_purchase": liking[rows, columns],
                "co_purchase_last": liking_last[rows, columns],
                "basket_spread": spread[rows + start],
            },
            schema=SCHEMA,
        )


def _asked(asked: pl.DataFrame | None, customers: pl.Series, catalogue: pl.DataFrame) -> tuple[Ints, Ints]:
    """Return the places of customers and products that are asked for."""
    if asked is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    places = asked.join(pl.DataFrame({"customer_id": customers}).with_row_index("customer"), on="customer_id").join(
        catalogue.select("product_id").with_row_index("product"), on="product_id"
    )
    return places["customer"].to_numpy().astype(np.int64), places["product"].to_numpy().astype(np.int64)


_SOURCE_LISTS = pl.Series(
    [[name for bit, name in enumerate(SOURCES) if mark >> bit & 1] for mark in range(1 << len(SOURCES))],
    dtype=pl.List(pl.String),
)


def _by_popularity(before: pl.DataFrame, n_products: int, window_days: int) -> tuple[Ints, NDArray[np.bool_]]:
    product, recent = before["product"].to_numpy(), before["age"].to_numpy() <= window_days
    ever = np.bincount(product, minlength=n_products)
    order = np.lexsort((np.arange(n_products), -ever, -np.bincount(product[recent], minlength=n_products)))
    return order, ever > 0


def _newcomers(cut: date, before: pl.DataFrame, catalogue: pl.DataFrame, order: Ints, params: CandidateParams) -> Ints:
    first = np.full(catalogue.height, np.iinfo(np.int64).max)
    ages = before.group_by("product").agg(pl.col("age").max())
    first[ages["product"].to_numpy()] = ages["age"].to_numpy()
    since = catalogue.select(days=(pl.lit(cut) - pl.col("launched_on")).dt.total_days())["days"]
    age = np.where(since.is_null().to_numpy(), first, since.fill_null(0).to_numpy())
    new = order[((age > 0) & (age <= params.window_days))[order]]
    held = np.bincount(before["product"].to_numpy(), minlength=catalogue.height)
    reserved = new[held[new] < params.evident_baskets][: params.new // 2]
    return np.concatenate([reserved, new[~np.isin(new, reserved)][: params.new - reserved.size]])


def _neighbours(before: pl.DataFrame, n_products: int, params: CandidateParams) -> sparse.csr_matrix:
    """Return the cosine of baskets for each product's nearest neighbours, (n_products, n_products), no diagonal."""
    basket, product = before["basket"].to_numpy(), before["product"].to_numpy()
    _, rows = np.unique(basket, return_inverse=True)
    held = sparse.csr_matrix((np.ones(rows.size, np.float32), (rows, product)), (rows.max(initial=-1) + 1, n_products))
    pairs = (held.T @ held).tocoo()
    keep = (pairs.row != pairs.col) & (pairs.data >= params.min_pair_baskets)
    row, column, count = pairs.row[keep], pairs.col[keep], pairs.data[keep]
    baskets = np.bincount(product, minlength=n_products)
    cosine = count / np.sqrt(baskets[row].astype(np.float32) * baskets[column].astype(np.float32))
    order = np.lexsort((column, -cosine, row))
    row, column, cosine = row[order], column[order], cosine[order].astype(np.float32)
    rank = np.arange(row.size) - np.searchsorted(row, row)
    near = rank < params.neighbours
    return sparse.csr_matrix((cosine[near], (row[near], column[near])), (n_products, n_products))


def _tastes(
    before: pl.DataFrame, customers: pl.Series, n_products: int, decay_days: float
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return each customer's decayed purchase shares, and the products of their last basket, (customers, products)."""
    codes = pl.DataFrame({"customer_id": customers}).with_row_index("customer")
    own = before.join(codes, on="customer_id").with_columns(
        weight=(-pl.col("age") / decay_days).exp(), is_last=pl.col("age") == pl.col("age").min().over("customer")
    )
    weights = own.group_by("customer", "basket").agg(pl.col("weight").first()).sort("customer", "basket")
    total = np.bincount(weights["customer"].to_numpy(), weights["weight"].to_numpy(), len(customers))
    at = (own["customer"].to_numpy(), own["product"].to_numpy())
    shape = (len(customers), n_products)
    share = (own["weight"].to_numpy() / total[at[0]]).astype(np.float32)
    return sparse.csr_matrix((share, at), shape), sparse.csr_matrix((own["is_last"].to_numpy().astype("f4"), at), shape)


def _shelves(catalogue: pl.DataFrame, by_popularity: Ints, per_category: int) -> tuple[Ints, Ints]:
    """Return the best sellers of each category, (categories, per_category), padded by -1, and products' categories."""
    category = catalogue["category"].fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
    shelf = np.full((category.max(initial=-1) + 1, per_category), -1, np.int64)
    ordered = by_popularity[np.argsort(category[by_popularity], kind="stable")]
    place = np.arange(ordered.size) - np.searchsorted(category[ordered], category[ordered])
    fits = place < per_category
    shelf[category[ordered[fits]], place[fits]] = ordered[fits]
    return shelf, category


def _mark_best(marks: NDArray[np.uint8], liking: Floats, wanted: int) -> None:
    wanted = min(wanted, liking.shape[1])
    if not wanted:
        return
    unbought = np.where(marks & BOUGHT, 0, liking)
    best = np.argpartition(-unbought, wanted - 1, axis=1)[:, :wanted]
    rows = np.repeat(np.arange(len(marks)), wanted)
    chosen = unbought[rows, best.ravel()] > 0
    marks[rows[chosen], best.ravel()[chosen]] |= CO_PURCHASED


def _mark_shelves(
    marks: NDArray[np.uint8], taste: sparse.csr_matrix, shelf: Ints, category_of: Ints, wanted: int
) -> None:
    if not (wanted and len(shelf)):
        return
    ones, products = np.ones(category_of.size, np.float32), np.arange(category_of.size)
    member = sparse.csr_matrix((ones, (products, category_of)), (category_of.size, len(shelf)))
    liked = (taste @ member).toarray()
    main = np.argsort(-liked, axis=1, kind="stable")[:, :wanted]
    is_liked = np.take_along_axis(liked, main, axis=1)[:, :, None] > 0
    proposed = np.where(is_liked, shelf[main], -1).reshape(len(marks), -1)
    rows, columns = np.repeat(np.arange(len(marks)), proposed.shape[1]), proposed.ravel()
    chosen = (columns >= 0) & ((marks[rows, columns] & BOUGHT) == 0)
    marks[rows[chosen], columns[chosen]] |= CATEGORY
