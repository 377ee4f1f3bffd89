"""Trees on the signals of each morning, grown anew as time goes on: on nothing bought on a question's day or later.

Every basket of a customer but the first is an example of its own day, so that the trees learn from requests like those
they are asked about; giant baskets, and those of customers bounded by then, are none. Where questions have many days,
as each customer's last basket does, they are cut into a few periods, and each is answered by trees grown on what was
bought before it began.

Source
------
Ke et al. (2017), LightGBM: a highly efficient gradient boosting decision tree, NIPS 30.
"""

from datetime import date

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import NotEnoughDataError
from ml.influence import ordinary
from ml.preference.history import Ints, positions
from ml.trials.signals import COLUMNS, Columns, Morning, Signals

KIND = "rolling_trees"
TARGETS = 3
"""Newest baskets of a customer that are examples."""
MOST_EXAMPLES = 3000
"""Baskets, drawn by seed. All their candidates are kept: with a draw of those never bought, trees put what was never
bought too high (.178 for .203 Recall@10 on the later two fifths of the validation of Online Retail II)."""
LEAST_EXAMPLES = 100
"""Baskets: with fewer the decayed frequencies of customer and neighbours stand in."""
PERIODS = (0.05, 0.35, 0.7)
"""Shares of the questions, by day, at which trees are grown anew."""
TREES = 120
OPTIONS = {
    "objective": "lambdarank", "lambdarank_truncation_level": 20, "learning_rate": 0.08, "num_leaves": 31,
    "lambda_l2": 5.0, "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "num_threads": 1,
    "deterministic": True, "force_row_wise": True, "verbosity": -1,
}  # fmt: skip
STAND_IN = COLUMNS.index("personal_frequency_knn")


class RollingTrees:
    """Ranks the catalogue for requests of any days.

    Parameters
    ----------
    baskets, products
        Rows of ``features.ftr_baskets`` and ``features.ftr_products``, the latter ordered by product. Only baskets
        before a request's day are looked at.
    """

    def __init__(self, baskets: pl.DataFrame, products: pl.DataFrame) -> None:
        self._names = products["product_id"]
        self._signals = Signals(baskets, products)
        known = baskets.filter(pl.col("customer_id").is_not_null()).sort("customer_id", "basket_on", "basket_id")
        again = pl.int_range(pl.len()).over("customer_id") > 0
        self._known = known.select("customer_id", "product_ids", "basket_on", "is_giant", is_again=again)

    def ranking(self, requests: pl.DataFrame, seed: int, places: int) -> pl.DataFrame:
        """Return the best places of each request: ``customer_id``, ``cut``, ``product_id``, ``place``, ``score``.

        Raises
        ------
        NotEnoughDataError
            When even the last period has too few baskets before it to learn from.
        """
        ordered = requests.select("customer_id", "cut").sort("cut", "customer_id")
        cuts = ordered["cut"]
        opens = sorted({cuts[0], *(cuts[int(len(cuts) * share)] for share in PERIODS)})
        drawn = {day: self._drawn(day, seed) for day in opens}
        examples = pl.concat([one.select("customer_id", "cut") for one in drawn.values()]).unique()
        parts, kept, trees = [], dict[tuple[str, date], tuple[Ints, Columns]](), None
        # Morning by morning, so that what is counted for one is counted once, and only examples outlive it.
        for day in pl.concat([cuts, examples["cut"]]).unique().sort():
            if day in drawn:
                trees = self._grown(drawn.pop(day), kept, seed)
                if trees is None and not drawn:
                    raise NotEnoughDataError(
                        f"{KIND} needs {LEAST_EXAMPLES} baskets of returning customers before {day}"
                    )
                needed = {key for one in drawn.values() for key in one.select("customer_id", "cut").iter_rows()}
                kept = {key: found for key, found in kept.items() if key in needed}
            morning = self._signals.at(day)
            learned = examples.filter(pl.col("cut") == day)["customer_id"].sort().to_list()
            kept |= zip(((who, day) for who in learned), morning.of(learned), strict=True)
            asked = ordered.filter(pl.col("cut") == day)["customer_id"].to_list()
            for who, (codes, columns) in zip(asked, morning.of(asked), strict=True):
                scores = columns[:, STAND_IN] if trees is None else trees.predict(columns, num_threads=1)
                scored = np.asarray(scores, np.float64)
                parts.append(self._listed(who, day, morning, codes, columns, scored, places))
        return pl.concat(parts).sort("customer_id", "place")

    def _listed(
        self,
        customer: str,
        cut: date,
        morning: Morning,
        codes: Ints,
        columns: Columns,
        scores: NDArray[np.float64],
        places: int,
    ) -> pl.DataFrame:
        """Return candidates by score, equal ones by popularity, and after them the rest of the catalogue by it."""
        order = np.lexsort((codes, -columns[:, COLUMNS.index("popularity")], -scores))[:places]
        best, score = codes[order], scores[order]
        if len(best) < min(places, len(self._names)):
            order = morning.by_popularity
            rest = order[~np.isin(order, best)][: places - len(best)]
            lowest = score.min(initial=0.0) - 1
            best, score = np.append(best, rest), np.append(score, np.full(len(rest), lowest))
        return pl.DataFrame({
            "customer_id": [customer] * len(best),
            "cut": [cut] * len(best),
            "product_id": self._names.gather(best),
            "place": np.arange(1, len(best) + 1, dtype=np.int32),
            "score": score,
        })  # fmt: skip

    def _drawn(self, day: date, seed: int) -> pl.DataFrame:
        """Return the baskets to learn from that were bought before a day: ``customer_id``, ``cut``, ``product_ids``."""
        usual = ordinary(self._known.filter(pl.col("basket_on") < day)).filter("is_again")
        past = usual.group_by("customer_id", maintain_order=True).tail(TARGETS)
        drawn = past[np.sort(np.random.default_rng(seed).permutation(past.height)[:MOST_EXAMPLES])]
        return drawn.sort("basket_on", "customer_id").select("customer_id", "product_ids", cut="basket_on")

    def _grown(
        self, drawn: pl.DataFrame, kept: dict[tuple[str, date], tuple[Ints, Columns]], seed: int
    ) -> lightgbm.Booster | None:
        """Return trees that learned from the baskets drawn; None where there is too little to learn from."""
        features, bought, sizes = [], [], []
        for who, held, cut in drawn.iter_rows():
            codes, columns = kept[who, cut]
            is_bought = np.isin(codes, positions(pl.Series(held), self._names))
            if is_bought.any():
                features.append(columns)
                bought.append(is_bought)
                sizes.append(len(codes))
        if len(sizes) < LEAST_EXAMPLES:
            return None
        rows = lightgbm.Dataset(np.concatenate(features), np.concatenate(bought).astype(int), group=sizes)
        leaf = min(200, max(5, len(sizes)))
        return lightgbm.train(OPTIONS | {"seed": seed, "min_data_in_leaf": leaf}, rows, TREES)
