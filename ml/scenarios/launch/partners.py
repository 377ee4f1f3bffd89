"""Which products to show a new one with: bought together more than chance would have it, and bought at all."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
from scipy.stats import gamma

from ml.association.backoff import BackOff
from ml.scenarios.rules import Rules

Row = dict[str, Any]

NEW_AT_ONCE = 50
"""New products whose pairs with all others are held in memory at a time."""
POOL = 60
"""Partners that are kept for each new product before a merchandiser's rules: enough to lose a category of them."""
CHANCE = 1.0
"""Association of what is bought together as often as the buyers' habits explain: no more is no partner."""
POOL_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "product_id": pl.String,
    "partner_id": pl.String,
    "association": pl.Float64,
    "evidence": pl.String,
    "basket_share": pl.Float64,
}


def new_products(products: pl.DataFrame, as_of: date, min_product_baskets: int, window_days: int) -> pl.DataFrame:
    """Return the products that can be offered but lack the evidence as they are new, or were never sold.

    New is what was launched within ``window_days``, or first sold where no launch is known.

    Parameters
    ----------
    products
        Rows of ``features.ftr_products`` of the day.
    """
    since = pl.coalesce("launched_on", "first_sold_on")
    is_new = since.is_between(as_of - timedelta(days=window_days - 1), as_of) | (pl.col("baskets") == 0)
    return products.filter("is_bundleable", pl.col("baskets") < min_product_baskets, is_new).sort("product_id")


def evident_products(products: pl.DataFrame, min_product_baskets: int) -> pl.DataFrame:
    """Return the products that can be partners: those that can be offered and have the evidence, by product."""
    return products.filter("is_bundleable", pl.col("baskets") >= min_product_baskets).sort("product_id")


def pool_of(
    back_off: BackOff, new: pl.DataFrame, evident: pl.DataFrame, baskets: int, asked: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the likeliest partners of each new product, before any rule.

    A partner's *appeal* is its association times the root of its share of baskets. Lift alone names what next to nobody
    buys, and expected meetings alone name the best sellers whatever the new product is; between the two, the partners
    of Complete Journey's launches met them as often as best sellers did and are still partners of this product.

    Parameters
    ----------
    back_off
        Estimates of pairs of which one is new; products of one category have none, as they may replace each other.
    new, evident
        Rows of ``features.ftr_products``.
    baskets
        Baskets of the shop that the evidence was counted in.
    asked
        Products that stay in the pool whatever their appeal.

    Returns
    -------
    Frame of ``POOL_SCHEMA`` by product and descending appeal.
    """
    share = evident.select(partner_id="product_id", basket_share=pl.col("baskets") / max(baskets, 1))
    nothing = _nothing_counted()
    pools = [pl.DataFrame(schema=POOL_SCHEMA)]
    for block in new.iter_slices(NEW_AT_ONCE):
        catalogue = pl.concat([evident, block]).sort("product_id")
        found = back_off.frame(catalogue, block["product_id"], nothing)
        sides = [
            found.join(block.select("product_id"), left_on=mine, right_on="product_id", how="semi").select(
                "association", "evidence", product_id=mine, partner_id=other
            )
            for mine, other in (("product_a", "product_b"), ("product_b", "product_a"))
        ]
        pairs = pl.concat(sides).filter(pl.col("association") > CHANCE).join(share, on="partner_id")
        pairs = pairs.sort("product_id", appeal(), "partner_id", descending=[False, True, False])
        place = pl.int_range(pl.len()).over("product_id")
        pools.append(pairs.filter((place < POOL) | pl.col("partner_id").is_in(list(asked))).select(list(POOL_SCHEMA)))
    return pl.concat(pools)


def appeal() -> pl.Expr:
    """Return what partners are ordered by, see :func:`pool_of`."""
    return pl.col("association") * pl.col("basket_share").sqrt()


def with_first_baskets(pool: pl.DataFrame, baskets: pl.DataFrame, shrinkage: float) -> pl.DataFrame:
    """Return the pool after what the first baskets of the new products say, with 95 % intervals.

    Baskets with both are Poisson around the association times what the sizes of the new product's baskets explain, and
    the estimate is a gamma prior that weighs as ``shrinkage`` expected baskets: A = (C + k A0) / (E + k).

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``.
    shrinkage
        k, as in the counting of pairs.

    Returns
    -------
    The pool with ``pair_baskets``, ``association_low``, ``association_high``; what came to no more than chance is left
    out. By product and descending appeal.

    Source
    ------
    DuMouchel (1999), Bayesian data mining in large frequency tables, The American Statistician 53(3) (gamma-Poisson).
    """
    usual = baskets.filter(~pl.col("is_giant"))
    lines, size = int(usual["product_ids"].list.len().sum()), pl.col("product_ids").list.len()
    new = pool.select("product_id").unique()
    held = usual.with_row_index("basket").select("basket", "product_ids", room=size - 1)
    own = held.explode("product_ids").join(new, left_on="product_ids", right_on="product_id")
    room = own.group_by(product_id="product_ids").agg(pl.col("room").cast(pl.Float64).sum())
    mates = held.select("basket", partner_id="product_ids").join(
        own.select("basket", product_id="product_ids"), on="basket"
    )
    together = mates.explode("partner_id").group_by("product_id", "partner_id").len("pair_baskets")
    found = (
        pool.join(room, on="product_id", how="left")
        .join(together, on=["product_id", "partner_id"], how="left")
        .with_columns(pl.col("room", "pair_baskets").fill_null(0).cast(pl.Float64))
    )
    # Of a line drawn at random, the share that is the partner.
    expected = (found["room"] * found["basket_share"] * usual.height / max(lines, 1)).to_numpy()
    shape = found["pair_baskets"].to_numpy() + shrinkage * found["association"].to_numpy()
    low, high = (gamma.ppf(q, shape) / (expected + shrinkage) for q in (0.025, 0.975))
    updated = found.with_columns(
        pl.col("pair_baskets").cast(pl.Int32),
        association=pl.Series(shape / (expected + shrinkage)),
        association_low=pl.Series(low),
        association_high=pl.Series(high),
    )
    kept = updated.drop("room").filter(pl.col("association") > CHANCE)
    return kept.sort("product_id", appeal(), "partner_id", descending=[False, True, False])


def choose_partners(pool: pl.DataFrame, prices: pl.DataFrame, rules: Rules, wanted: int) -> pl.DataFrame:
    """Return the best partners of each new product that a merchandiser's rules allow.

    What rules exclude, and what costs less than its floor, is no partner. Where products must be included, each list
    holds one of them: the best of them takes the last place where none comes by itself.

    Parameters
    ----------
    pool
        Of :func:`with_first_baskets`.
    prices
        ``product_id``, ``price_cents``.

    Returns
    -------
    The rows of the pool with ``partner_rank``, 1 = best.
    """
    floors = pl.DataFrame(
        {"partner_id": [*rules.floor_cents], "floor_cents": [*rules.floor_cents.values()]},
        schema={"partner_id": pl.String, "floor_cents": pl.Int64},
    )
    is_cheap = pl.col("price_cents") < pl.col("floor_cents")
    cheap = floors.join(prices, left_on="partner_id", right_on="product_id").filter(is_cheap)["partner_id"]
    allowed = pool.filter(~pl.col("partner_id").is_in([*rules.excluded, *cheap]))
    is_asked = pl.col("partner_id").is_in(rules.must_include)
    is_best_asked = is_asked & (is_asked.cum_sum().over("product_id") == 1)
    place = pl.int_range(pl.len()).over("product_id")
    ordered = allowed.with_columns(place=place, is_kept=is_best_asked & (place >= wanted))
    room = wanted - pl.col("is_kept").any().over("product_id").cast(pl.Int64)
    chosen = ordered.filter((pl.col("place") < room) | pl.col("is_kept"))
    rank = (pl.int_range(pl.len()).over("product_id") + 1).cast(pl.Int32)
    return chosen.with_columns(partner_rank=rank).drop("place", "is_kept")


def reason_of(new: Row, partner: Row, pair: Row) -> str:
    """Return in words why a partner goes with a new product.

    Parameters
    ----------
    new, partner
        Rows of ``features.ftr_products``.
    pair
        Row of :func:`choose_partners`.
    """
    name = name_of(partner)
    groups = f"{new['category'] or 'products like it'} and {partner['category'] or 'products like ' + name}"
    like = {
        "category": f"{groups} are bought together",
        "graph": f"Products of its category, brand and words are bought together with {name}",
        "blend": f"{groups}, and products of their brands and words, are bought together",
    }[pair["evidence"]]
    often = f"{pair['association']:.1f} times what the buyers' habits explain"
    interval = f"{pair['association_low']:.1f} to {pair['association_high']:.1f}"
    first = f"; together in {pair['pair_baskets']} of its first baskets" if pair["pair_baskets"] else ""
    return f"{like} {often} ({interval}){first}; {name} is in {100 * pair['basket_share']:.1f} % of all baskets."


def name_of(product: Row) -> str:
    """Return what people call a product."""
    return str(product["title"] or product["category"] or product["product_id"])


def expected_share(association: pl.Expr, share: pl.Expr) -> pl.Expr:
    """Return the share of the new product's baskets that are expected to hold the partner."""
    return (association * share).clip(0.0, 1.0)


def _nothing_counted() -> pl.DataFrame:
    texts = dict.fromkeys(("product_a", "product_b", "evidence"), pl.String)
    numbers = dict.fromkeys(("association", "expected_baskets", "lift", "lift_low", "lift_high"), pl.Float64)
    return pl.DataFrame(schema={**texts, **numbers, "pair_baskets": pl.Int64})
