"""Which of the shop's bundles does each customer buy whole? All are ranked, from what was known before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.errors import DataError
from ml.evaluation.metrics import by_customer
from ml.optimizer.objective import pair_values
from ml.optimizer.rules import UNKNOWN_MARGIN
from ml.policies.named import COMPARED, POLICIES
from ml.preference.history import positions
from ml.settings import Settings
from ml.trials.cuts import check_cut, days_of, earlier_cut, usual_cut
from ml.trials.outcome import BEST, Outcome, Wishes, chosen
from ml.trials.parts import Associations, Preferences, margins
from ml.trials.ranking import BLOCK_ROWS, intervals
from ml.trials.shop import Files, baskets_of, products_of

SIMPLE = ("popularity", "preference", "association", "preference_association")
MODELS = (*SIMPLE, *POLICIES)
FALLBACK = "preference"
PREFERENCE, ASSOCIATION = "personal_decayed", "cosine"
"""P of all models, and A of the simple ones, where nobody names others; a policy has its own A."""
LEAST_CUSTOMERS = 10
"""Of a validation: what fewer bought whole says nothing about which model is better, and ``FALLBACK`` stands in."""
KS = (5, 10)
Reals = NDArray[np.float64]


def run(
    files: Files, cut: date | None, model: str, seed: int, settings: Settings, wishes: Wishes | None = None
) -> Outcome:
    """Rank the given bundles for every known customer, and judge those who bought one whole since the cut.

    Parameters
    ----------
    cut
        Day before which all is learned; None, or without times: the day since which the newest fifth of the baskets was
        filled. Where all were filled on one day, or none since the cut, all is learned from and nobody judged.
    model
        ``popularity`` (mean share of baskets of the bundle's products), ``preference`` (mean P of its products),
        ``association`` (mean A of its pairs), ``preference_association`` (the product of the latter two), a policy of
        :mod:`ml.policies.named` (the sum of its objective over the bundle's pairs), or ``best`` on a validation.

    Raises
    ------
    DataError
        When a table is missing, the cut leaves nothing before it, or no customer is known.
    """
    wishes = wishes or Wishes()
    files.need("bundle_ranking", "products", "orders", "order_items", "given_bundles")
    baskets, products, bundles = baskets_of(files), products_of(files), _bundles(files)
    if bundles.is_empty():
        raise DataError("bundle_ranking: given_bundles hold no bundle of two products or more")
    first, last = days_of(baskets)
    cut = (cut if files.is_timed else None) or usual_cut(baskets)
    cut = last + timedelta(days=1) if cut == first == last else cut
    check_cut(baskets, cut)
    customers = baskets["customer_id"].drop_nulls().unique().sort()
    if customers.is_empty():
        raise DataError("bundle_ranking: nobody to rank for: no order that holds a product names its customer")
    shop = _Shop(baskets, products, bundles, margins(files, products["product_id"]), seed, settings, wishes)
    bought = _bought_whole(baskets.filter(pl.col("basket_on") >= cut), bundles)
    validation = shop.compared(cut) if model == BEST else {}
    model = chosen(validation, FALLBACK) if model == BEST else model
    ranking = shop.ranking(model, customers, cut, wishes.places)
    return Outcome(
        model,
        ranking,
        intervals(_judged(ranking, bought), "customer_id", seed) if bought.height else {},
        {
            "customers": len(customers),
            "judged": bought["customer_id"].n_unique(),
            "bundles": bundles.height,
            "products": products.height,
        },
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


@dataclass(frozen=True)
class _Shop:
    """What is sold, to whom, and in which bundles."""

    baskets: pl.DataFrame
    products: pl.DataFrame
    bundles: pl.DataFrame
    margin_cents: NDArray[np.int64]
    seed: int
    settings: Settings
    wishes: Wishes

    def compared(self, cut: date) -> Mapping[str, float]:
        """Return the NDCG@10 of the models on an earlier question of the same form; nothing where few are asked."""
        past = self.baskets.filter(pl.col("basket_on") < cut)
        if past["basket_on"].n_unique() < 2:
            return {}
        before = earlier_cut(self.baskets, cut)
        bought = _bought_whole(past.filter(pl.col("basket_on") >= before), self.bundles)
        if bought["customer_id"].n_unique() < LEAST_CUSTOMERS:
            return {}
        asked, earlier = bought["customer_id"].unique().sort(), replace(self, baskets=past)
        rankings = {name: earlier.ranking(name, asked, before, max(KS)) for name in (*SIMPLE, *COMPARED)}
        return {name: float(_judged(one, bought)["ndcg_10"].mean()) for name, one in rankings.items()}  # type: ignore[arg-type]

    def ranking(self, model: str, customers: pl.Series, cut: date, places: int) -> pl.DataFrame:
        """Return the best places of bundles for each customer; equal scores go by popularity, then by id."""
        before = self.baskets.filter(pl.col("basket_on") < cut)
        names = self.bundles["product_ids"].explode().unique().sort()
        parts = self.bundles.with_row_index("row").explode("product_ids")
        share = 1 / self.bundles["product_ids"].list.len().to_numpy()[parts["row"].to_numpy()]
        # Column b has 1 / size at each product of bundle b: a row of preferences times it is the mean over the bundle.
        mean = sparse.csc_matrix(
            (share, (positions(parts["product_ids"], names), parts["row"].to_numpy())),
            (len(names), self.bundles.height),
        )
        asked = (before, self.products, cut, self.seed, self.settings)
        popular = Preferences("popularity", *asked).of(customers[:1], names)[0] @ mean
        order = np.lexsort((np.arange(self.bundles.height), -popular))
        worth = self._worth(model, before, names, mean, popular)
        liked = Preferences(self.wishes.preference or PREFERENCE, *asked)
        pairs = int((self.bundles["product_ids"].list.len() ** 2).sum())
        step = max(1, BLOCK_ROWS // max(len(names), pairs))
        frames = []
        for start in range(0, len(customers), step):
            block = customers[start : start + step]
            if model in ("popularity", "association"):
                scores = np.broadcast_to(worth(np.zeros((1, len(names)))), (len(block), self.bundles.height))
            else:
                scores = worth(liked.of(block, names))
            best = order[np.argsort(-scores[:, order], axis=1, kind="stable")[:, :places]]
            rows = np.repeat(np.arange(len(block)), best.shape[1])
            frames.append(pl.DataFrame({
                "question_id": block.gather(rows),
                "bundle_id": self.bundles["bundle_id"].gather(best.ravel()),
                "place": np.tile(np.arange(1, best.shape[1] + 1, dtype=np.int32), len(block)),
                "score": scores[rows, best.ravel()],
            }))  # fmt: skip
        return pl.concat(frames)

    def _worth(
        self, model: str, before: pl.DataFrame, names: pl.Series, mean: sparse.csc_matrix, popular: Reals
    ) -> Callable[[Reals], Reals]:
        """Return what turns (customers, names) preferences into (customers, bundles) scores."""
        if model == "popularity":
            return lambda liked: popular[None, :] + 0 * liked[:, :1]
        if model == "preference":
            return lambda liked: liked @ mean
        sizes = self.bundles["product_ids"].list.len().to_numpy().astype(np.int64)
        held = [positions(pl.Series(one), names) for one in self.bundles["product_ids"].to_list()]
        first, second = np.concatenate([np.stack(np.triu_indices(len(one), 1)) for one in held], axis=1)
        starts = np.repeat(np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes * (sizes - 1) // 2)
        whole = np.concatenate(held)
        left, right = whole[starts + first], whole[starts + second]
        bundle = np.repeat(np.arange(len(held)), sizes * (sizes - 1) // 2)
        code = positions(names, self.products["product_id"])
        reading = self.wishes.association or (POLICIES[model].association if model in POLICIES else ASSOCIATION)
        tied = Associations(reading, before, self.products, self.settings).between(code[left], code[right])
        summed = sparse.csc_matrix((np.ones(len(bundle)), (np.arange(len(bundle)), bundle)), (len(bundle), len(held)))
        if model in POLICIES:
            known = np.where(self.margin_cents == UNKNOWN_MARGIN, -np.inf, self.margin_cents.astype(float))[code]
            margin = np.maximum(known[left] + known[right], 0.0)
            objective = POLICIES[model].objective
            return lambda liked: pair_values(objective, liked[:, left], liked[:, right], tied, margin) @ summed
        together = tied @ summed / np.maximum(sizes * (sizes - 1) / 2, 1)
        if model == "association":
            return lambda liked: together[None, :] + 0 * liked[:, :1]
        return lambda liked: (liked @ mean) * together


def _judged(ranking: pl.DataFrame, bought: pl.DataFrame) -> pl.DataFrame:
    hits = bought.with_columns(is_bought=pl.lit(True))
    scored = (
        ranking.join(hits, left_on=["question_id", "bundle_id"], right_on=["customer_id", "bundle_id"], how="left")
        .with_columns(pl.col("is_bought").fill_null(False))
        .select("is_bought", customer_id="question_id", product_id="bundle_id", preference=-pl.col("place"))
    )
    return by_customer(scored, bought.group_by("customer_id").len("products"), KS)
