"""Launches of the past, planned as if nothing of them had been sold: did partners meet them, and the audience buy them?

The peers are what a shop does today: it puts the new product beside the best sellers of its category, and shows it to
its most frequent customers. The best sellers of the whole shop stand beside them too: nothing meets a basket more
often, whatever lies in it. Preferences are shares of each customer's baskets, as the model of today knows the answer.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import polars as pl

from ml.association.backoff import BackOff, fit_back_off
from ml.association.baskets import index_baskets
from ml.association.rehearsal import PARTS, Rehearsal
from ml.demand.launches import first_sales
from ml.influence import counted
from ml.scenarios.ground import Ground
from ml.scenarios.judged import Judged, paired
from ml.scenarios.launch.facts import WINDOW_DAYS
from ml.scenarios.launch.interest import interested, visiting
from ml.scenarios.launch.partners import choose_partners, pool_of
from ml.scenarios.rules import Rules

Compare = Callable[..., Judged]

SAME_CATEGORY, BEST_SELLERS, FREQUENT = "best_sellers_of_the_category", "best_sellers", "most_frequent_customers"
LEAST_BASKETS = 2
"""Baskets after its launch that a product needs to be judged: one says next to nothing of its partners."""


def evaluate(ground: Ground) -> list[Judged]:
    """Return how launches of the last four weeks would have been planned; nothing where there was none."""
    context, settings = ground.context, ground.settings
    compare = partial(paired, draws=settings.optimizer.bootstrap_draws, seed=context.params.seed)
    cut = context.as_of - timedelta(days=WINDOW_DAYS - 1)
    asked = context.params.launch_partners, context.params.launch_audience
    return judge(
        ground.baskets, ground.products, cut, settings.min_product_baskets, asked, compare, context.params.seed
    )


def judge(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    cut: date,
    min_product_baskets: int,
    asked: tuple[int, int],
    compare: Compare,
    seed: int,
) -> list[Judged]:
    """Return the numbers of the launches in the window that begins with the day ``cut``.

    Parameters
    ----------
    baskets, products
        Rows of ``features.ftr_baskets`` and ``features.ftr_products``; what is said of sales is counted anew.
    asked
        Partners, and customers shown, for each product.
    compare
        :func:`ml.scenarios.judged.paired` with its draws and seed.
    seed
        Of the model of pairs.
    """
    last = cut + timedelta(days=WINDOW_DAYS - 1)
    known = baskets.filter(~pl.col("is_giant"))
    past, later = known.filter(pl.col("basket_on") < cut), known.filter(pl.col("basket_on").is_between(cut, last))
    new, evident = launched_in(past, later, products, min_product_baskets)
    if new.is_empty() or evident.is_empty():
        return []
    compare = partial(compare, judged_on=f"{cut} to {last}")
    pool = pool_of(rehearsed(past, evident, new, seed), new, evident, past.height)
    named = named_partners(pool, new, evident, asked[0])
    found = _of_partners(named, meetings(later, new, evident), compare)
    return found + _of_audience(past, later, new, evident, pool, asked[1], compare)


def launched_in(
    past: pl.DataFrame, later: pl.DataFrame, products: pl.DataFrame, min_product_baskets: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the products first sold in the later baskets, in two of them at least, and those evident before."""
    offered = products.filter("is_bundleable").drop("baskets").sort("product_id")
    lines = {name: _held(frame) for name, frame in (("past", counted(past)), ("later", later))}
    evident = offered.join(lines["past"].filter(pl.col("baskets") >= min_product_baskets), on="product_id")
    often = lines["later"].filter(pl.col("baskets") >= LEAST_BASKETS)
    fresh = offered.join(first_sales(past), on="product_id", how="anti").join(often, on="product_id")
    return fresh.sort("product_id"), evident.sort("product_id")


def rehearsed(past: pl.DataFrame, evident: pl.DataFrame, new: pl.DataFrame, seed: int) -> BackOff:
    """Return what categories and attributes say of pairs without sales, learned from the baskets before.

    The categories are asked first, which windows of Complete Journey chose, and attributes where a category is unknown.
    """
    indexed = index_baskets(past, evident["product_id"].to_list())
    rehearsal = Rehearsal(indexed, evident, seed)
    catalogue = pl.concat([evident, new]).sort("product_id")
    return fit_back_off(indexed, catalogue, "category", {name: rehearsal.scale(name) for name in PARTS}, seed)


def named_partners(pool: pl.DataFrame, new: pl.DataFrame, evident: pl.DataFrame, wanted: int) -> pl.DataFrame:
    """Return ``rule``, ``product_id``, ``partner_id``: ours, and those of the rules a shop uses."""
    prices = evident.select("product_id", price_cents=pl.lit(None, pl.Int64))
    ours = choose_partners(pool, prices, Rules(), wanted).select("product_id", "partner_id")
    best = evident.sort("baskets", "product_id", descending=[True, False]).select("category", partner_id="product_id")
    everywhere = new.select("product_id").join(best.head(wanted).select("partner_id"), how="cross")
    there = best.filter(pl.int_range(pl.len()).over("category") < wanted).drop_nulls("category")
    same = new.select("product_id", "category").join(there, on="category").drop("category")
    rules = {"ours": ours, SAME_CATEGORY: same, BEST_SELLERS: everywhere}
    return pl.concat(
        [frame.select(pl.lit(name).alias("rule"), "product_id", "partner_id") for name, frame in rules.items()]
    )


def meetings(later: pl.DataFrame, new: pl.DataFrame, evident: pl.DataFrame) -> pl.DataFrame:
    """Return ``product_id``, ``partner_id`` of the evident products that new ones met in a later basket, each once."""
    lines = later.with_row_index("basket").select("basket", product_id="product_ids").explode("product_id")
    own = lines.join(new.select("product_id"), on="product_id", how="semi")
    others = lines.join(evident.select("product_id"), on="product_id", how="semi").rename({"product_id": "partner_id"})
    return own.join(others, on="basket").select("product_id", "partner_id").unique()


def _of_partners(named: pl.DataFrame, met: pl.DataFrame, compare: Compare) -> list[Judged]:
    total = met.group_by("product_id").len("met")
    hits = named.join(met.with_columns(hit=1.0), on=["product_id", "partner_id"], how="left")
    table = hits.group_by("rule", "product_id").agg(pl.col("hit").fill_null(0.0).sum().alias("hits"), pl.len())
    table = table.join(total, on="product_id").with_columns(
        precision=pl.col("hits") / pl.col("len"), recall=pl.col("hits") / pl.col("met"), hit_rate=pl.col("hits") > 0
    )
    found = []
    for peer in (SAME_CATEGORY, BEST_SELLERS):
        both = table.filter(pl.col("rule") == "ours").join(
            table.filter(pl.col("rule") == peer), on="product_id", suffix="_of_peer"
        ).sort("product_id")  # fmt: skip
        for metric in ("precision", "recall", "hit_rate") if both.height else ():
            ours, theirs = (both[name].cast(pl.Float64).to_numpy() for name in (metric, f"{metric}_of_peer"))
            found.append(compare(f"partner_{metric}", ours, peer, theirs, "share", variant=peer))
    return found


def _of_audience(
    past: pl.DataFrame,
    later: pl.DataFrame,
    new: pl.DataFrame,
    evident: pl.DataFrame,
    pool: pl.DataFrame,
    shown: int,
    compare: Compare,
) -> list[Judged]:
    """Return how many times its share of all customers an audience holds of the buyers, beside the most frequent."""
    cases = audience_cases(past, later, new, evident, pool, shown)
    if cases.is_empty():
        return []
    ours, theirs = cases["interested"].to_numpy(), cases["frequent"].to_numpy()
    return [compare("audience_lift", ours, FREQUENT, theirs, "times the average customer")]


def audience_cases(
    past: pl.DataFrame, later: pl.DataFrame, new: pl.DataFrame, evident: pl.DataFrame, pool: pl.DataFrame, shown: int
) -> pl.DataFrame:
    """Return ``product_id``, ``interested``, ``frequent``: share of the buyers reached, over that of all customers."""
    columns = ["product_id", "category_path"]
    catalogue = pl.concat(
        [evident.select(columns).with_columns(is_new=False), new.select(columns).with_columns(is_new=True)]
    )
    known = past.drop_nulls("customer_id")
    last: date = known["basket_on"].max()  # type: ignore[assignment]
    found = interested(shares(known, evident), visiting(known, last), catalogue, pool, shown)
    ours = pl.DataFrame(
        {
            "product_id": pl.Series(found.product_ids, dtype=pl.String).gather(found.product),
            "customer_id": pl.Series(found.customer_ids, dtype=pl.String).gather(found.customer),
        }
    )
    often = known.group_by("customer_id").len().sort("len", "customer_id", descending=[True, False]).head(shown)
    lines = later.drop_nulls("customer_id").select("customer_id", product_id="product_ids").explode("product_id")
    buyers = lines.join(new.select("product_id"), on="product_id", how="semi").unique()
    buyers = buyers.join(known.select("customer_id").unique(), on="customer_id", how="semi")
    reached = buyers.join(ours.with_columns(own=1.0), on=["product_id", "customer_id"], how="left").join(
        often.select("customer_id", theirs=pl.lit(1.0)), on="customer_id", how="left"
    )
    share = often.height / max(known["customer_id"].n_unique(), 1)
    return reached.group_by("product_id").agg(
        interested=pl.col("own").fill_null(0.0).mean() / share, frequent=pl.col("theirs").fill_null(0.0).mean() / share
    ).sort("product_id")  # fmt: skip


def shares(baskets: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_id``, ``product_id``, ``preference``: share of the customer's baskets that hold the product."""
    own = baskets.with_columns(share=1 / pl.len().over("customer_id"))
    lines = own.select("customer_id", "share", product_id="product_ids").explode("product_id")
    kept = lines.join(products.select("product_id"), on="product_id", how="semi")
    return kept.group_by("customer_id", "product_id").agg(preference=pl.col("share").sum())


def _held(baskets: pl.DataFrame) -> pl.DataFrame:
    lines = baskets.select(product_id="product_ids").explode("product_id").drop_nulls("product_id")
    return lines.group_by("product_id").agg(baskets=pl.len().cast(pl.Int32))
