"""What a sequence model gains by what customers do besides buying: views, searches and carts of the simulated shop.

The real data sets have no events. The simulated shop's customers browse by their tastes, with and without buying; a
Transformer reads them or does not, on the same baskets, and is judged on each customer's first basket of four weeks.
Intervals are 95 % bootstraps over customers; the gain is paired.

Run as ``python -m benchmarks.events [--quick] --json FILE``; ``--quick`` takes 150 customers. Needs torch.
"""

from datetime import timedelta

import polars as pl

from benchmarks.report import Row, arguments, write_report
from benchmarks.simulated import simulated_events, simulated_shop
from ml.evaluation.bootstrap import bootstrap_mean, paired_bootstrap
from ml.evaluation.metrics import by_customer
from ml.evaluation.splits import requests_between
from ml.preference.sequence import Transformer
from ml.preference.sequence_params import SequenceParams
from ml.settings import Settings
from ml.sources.simulated_shop import FIRST_AS_OF, Size
from ml.training import Shop, asked, examples, scored

SHOP, QUICK_SHOP = Size(customers=1000, products=200, days=240), Size(150, 60, 160)
TEST_DAYS, SEED = 28, 20170101
METRICS = ("recall_10", "recall_20", "ndcg_10")


def main() -> None:
    """Fit with and without events, score and report."""
    options = arguments(__doc__)
    size, settings = QUICK_SHOP if options.quick else SHOP, Settings(threads=1)
    baskets, products, _ = simulated_shop(size, SEED)
    events = simulated_events(size, SEED)
    through = FIRST_AS_OF - timedelta(days=TEST_DAYS)
    least = settings.preference.min_customer_baskets
    targets = requests_between(baskets, through + timedelta(days=1), FIRST_AS_OF, least)
    shop = Shop(baskets.filter(pl.col("basket_on") <= through), products)
    known = events.filter(pl.col("occurred_on") <= through)
    candidates, learned = asked(shop, targets, settings), examples(shop, through, settings)
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    tables = {}
    for name, told in (("with", known), ("without", None)):
        model = Transformer(SequenceParams(seed=SEED), told).fit(shop.baskets, shop.products, learned)
        model.refit(shop.baskets, shop.products, learned)
        tables[name] = by_customer(scored(model, shop, candidates), sizes)
    rows = []
    for metric in METRICS:
        with_events, without = (tables[name][metric].to_numpy() for name in ("with", "without"))
        for name, values in (("with", with_events), ("without", without)):
            mean = bootstrap_mean(values, seed=SEED)
            path = f"preference/transformer_{name}_events/{metric}"
            rows.append(Row(path, mean.value, "share", mean.low, mean.high))
        gain = paired_bootstrap(with_events, without, seed=SEED)
        path = f"preference/transformer_with_events/{metric}_gain"
        rows.append(Row(path, gain.value, "share", gain.low, gain.high, "transformer_without_events"))
    what = f"{targets.height} customers after {through}, {known.height} events"
    write_report("events", f"Simulated shop, {what}", rows, options.json)


if __name__ == "__main__":
    main()
