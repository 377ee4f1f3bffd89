"""Who is likely to want a new product, told from what else they are likely to buy next.

Several readings of what a customer will buy in the next weeks speak: what they will buy of each level of the product's
category path, what of the product's partners, weighted by how much more than chance they go with it, and where a
preference model scored the product itself, its own word. A preference is about one basket, so that it counts as often
as the customer comes. Each reading is taken relative to the mean over all customers, so that 1 is the average customer,
and interest is the mean of the readings that speak at all.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.scenarios.launch.partners import CHANCE

LEVELS = " > "
DECAY_DAYS = 180.0
"""Age at which a visit counts 1/e, as in the taste of candidates."""
Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Interested:
    """The customers who want each of some products most.

    Attributes
    ----------
    product_ids, customer_ids
        What the codes of products and customers stand for.
    product, customer
        (rows,) codes; by product, most interested first.
    interest
        (rows,) relative to the average customer, > 0.
    """

    product_ids: list[str]
    customer_ids: list[str]
    product: Ints
    customer: Ints
    interest: Reals


def visiting(baskets: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``customer_id``, ``visits``: baskets until the day, each counted less the older it is."""
    age = (pl.lit(as_of) - pl.col("basket_on")).dt.total_days()
    known = baskets.filter(pl.col("basket_on") <= as_of).drop_nulls("customer_id")
    return known.group_by("customer_id").agg(visits=(-age / DECAY_DAYS).exp().sum())


def interested(
    preferences: pl.DataFrame, visits: pl.DataFrame, products: pl.DataFrame, pool: pl.DataFrame, most: int
) -> Interested:
    """Return the ``most`` customers of each new product with the highest interest.

    Parameters
    ----------
    preferences
        ``customer_id``, ``product_id``, ``preference``: probability of the next basket, as far as it is known.
    visits
        Of :func:`visiting`; a customer without is of no interest.
    products
        New and other products: ``product_id``, ``category_path``, ``is_new``.
    pool
        ``product_id``, ``partner_id``, ``association`` > 1.
    """
    often = preferences.join(visits, on="customer_id")
    preferences = often.with_columns(preference=pl.col("preference") * pl.col("visits"))
    fresh = products.filter("is_new").sort("product_id")
    customers = preferences["customer_id"].unique().sort()
    rest = products.filter(~pl.col("is_new")).sort("product_id")
    known, own = _matrix(preferences, customers, rest), _matrix(preferences, customers, fresh)
    levels = _levels(known, rest["category_path"], fresh["category_path"])
    weights = _weights(pool, fresh, rest)
    parts: list[tuple[Ints, Ints, Reals]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for place in range(fresh.height):
        readings = [held[:, [code[place]]] for held, code in levels if code[place] >= 0]
        readings += [known @ weights[:, [place]], own[:, [place]]]
        speaking = [np.asarray(one.todense()).ravel() for one in readings if one.nnz]
        if not speaking:
            continue
        interest = np.mean([one / one.mean() for one in speaking], axis=0)
        best = np.argsort(-interest, kind="stable")[:most]
        best = best[interest[best] > 0].astype(np.int64)
        parts.append((np.full(len(best), place, np.int64), best, interest[best]))
    product, customer, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Interested(fresh["product_id"].to_list(), customers.to_list(), product, customer, value)


def _matrix(preferences: pl.DataFrame, customers: pl.Series, products: pl.DataFrame) -> sparse.csc_array:
    """Return (customers, products) preferences."""
    places = preferences.join(products.select("product_id").with_row_index("place"), on="product_id").join(
        pl.DataFrame({"customer_id": customers}).with_row_index("who"), on="customer_id"
    )
    at = (places["who"].to_numpy().astype(np.int64), places["place"].to_numpy().astype(np.int64))
    return sparse.csc_array((places["preference"].to_numpy(), at), shape=(len(customers), products.height))


def _levels(known: sparse.csc_array, paths: pl.Series, new: pl.Series) -> list[tuple[sparse.csc_array, Ints]]:
    """Return by level of the paths what customers are expected to buy of each name, and the names of new products.

    Returns
    -------
    For each level (customers, names), and (new products,) codes of names, -1 where no other product bears theirs.
    """
    depth = int(pl.concat([paths, new]).str.split(LEVELS).list.len().max() or 0)  # type: ignore[arg-type]
    found = []
    for level in range(1, depth + 1):
        one, other = (_cut(column, level) for column in (paths, new))
        names = pl.DataFrame({"name": one}).drop_nulls().unique().sort("name").with_row_index("code")
        rows = pl.DataFrame({"name": one}).with_row_index("row").join(names, on="name")
        at = (rows["row"].to_numpy().astype(np.int64), rows["code"].to_numpy().astype(np.int64))
        member = sparse.csc_array((np.ones(rows.height), at), shape=(len(one), names.height))
        code = pl.DataFrame({"name": other}).join(names, on="name", how="left", maintain_order="left")["code"]
        found.append(((known @ member).tocsc(), code.cast(pl.Int64).fill_null(-1).to_numpy()))
    return found


def _cut(paths: pl.Series, level: int) -> pl.Series:
    parts = paths.str.split(LEVELS)
    cut = parts.list.head(level).list.join(LEVELS)
    return pl.select(pl.when(parts.list.len() >= level).then(cut)).to_series()


def _weights(pool: pl.DataFrame, fresh: pl.DataFrame, rest: pl.DataFrame) -> sparse.csc_array:
    """Return (products, new products) by how much more than chance they are bought together."""
    places = pool.join(rest.select(partner_id="product_id").with_row_index("row"), on="partner_id").join(
        fresh.select("product_id").with_row_index("column"), on="product_id"
    )
    at = (places["row"].to_numpy().astype(np.int64), places["column"].to_numpy().astype(np.int64))
    return sparse.csc_array((places["association"].to_numpy() - CHANCE, at), shape=(rest.height, fresh.height))
