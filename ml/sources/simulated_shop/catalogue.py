"""The simulated shop's customers, products, own bundles and lead times as records of the raw contract."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.names import AGES, BRANDS, GENDERS, INCOMES, REGIONS, SEGMENTS, TIERS
from ml.sources.simulated_shop.truth import ALWAYS, LISTED_AHEAD_DAYS, Flags, Ints, Truth

COST_KNOWN = 0.9
"""Share of products whose purchase cost the shop knows."""
VECTOR_LENGTH = 8


def customers(truth: Truth, through: date) -> pl.DataFrame:
    """Return everybody who has signed up by ``through``."""
    rng = np.random.default_rng([truth.seed, 8])
    count = len(truth.trip_rate)
    words = {"segment": SEGMENTS, "age_band": AGES, "gender": GENDERS, "region": REGIONS, "income_band": INCOMES}
    table = pl.DataFrame(
        {
            "customer_id": truth.customer_ids,
            **{name: rng.choice(list(values), count) for name, values in words.items()},
            "household_size": truth.household.astype(str),
            "signed_up_on": _days(truth, truth.sign_up_day),
        }
    )
    return table.filter(pl.Series(truth.sign_up_day <= (through - truth.first_day).days))


def products(truth: Truth, market: Market, through: date) -> pl.DataFrame:
    """Return the catalogue as it stands on the evening of ``through``, with the list prices of that day."""
    rng = np.random.default_rng([truth.seed, 9])
    count = len(truth.need_of)
    brand = [BRANDS[b] for b in rng.integers(0, len(BRANDS), count)]
    is_known = rng.random(count) < COST_KNOWN
    direction = rng.normal(0, 1, (len(truth.need_days), VECTOR_LENGTH))
    picture = direction[truth.need_of] + rng.normal(0, 0.3, (count, VECTOR_LENGTH))
    rows = []
    for j in np.flatnonzero(market.is_listed(through, LISTED_AHEAD_DAYS)):
        department, need = truth.department(int(j))
        tier = TIERS[truth.tier[j]]
        rows.append(
            {
                "product_id": truth.product_ids[j],
                "title": f"{brand[j]} {need.title()} {tier} {j}",
                "brand": brand[j],
                "category_path": f"{department} > {need} > {need} {tier.upper()}",
                "price_cents": int(market.list_price(through)[j]),
                "cost_cents": int(truth.cost_cents[j]) if is_known[j] else None,
                "is_active": True,
                "image_vector": picture[j].round(4).tolist(),
            }
        )
    known_on = _days(truth, truth.launch_day).filter(pl.Series(market.is_listed(through, LISTED_AHEAD_DAYS)))
    return pl.DataFrame(rows, schema_overrides={"cost_cents": pl.Int64}).with_columns(known_on.alias("launched_on"))


def lead_times(truth: Truth, since: date, through: date) -> pl.DataFrame:
    """Return how long a reorder takes, of the products that were listed after ``since``."""
    rng = np.random.default_rng([truth.seed, 10])
    days = rng.integers(1, 22, len(truth.need_of))
    listed_on = np.maximum(truth.launch_day - LISTED_AHEAD_DAYS, 0)
    low, high = (since - truth.first_day).days, (through - truth.first_day).days
    fresh = np.flatnonzero((listed_on > low) & (listed_on <= high))
    return pl.DataFrame(
        {
            "product_id": [truth.product_ids[j] for j in fresh],
            "lead_days": days[fresh],
            "supplier": [f"supplier {truth.need_of[j] % 5 + 1}" for j in fresh],
        },
        schema_overrides={"product_id": pl.String, "supplier": pl.String},
    )


def own_bundles(truth: Truth) -> Flags:
    """Return (B, P): bundles the shop sells already, half of them along a mission, half put together blindly."""
    rng = np.random.default_rng([truth.seed, 11])
    is_old = truth.launch_day == ALWAYS
    bundles = np.zeros((2 * len(truth.missions), len(truth.need_of)), dtype=np.bool_)
    for row, mission in zip(bundles, truth.missions, strict=False):
        for need in np.flatnonzero(mission):
            candidates = np.flatnonzero((truth.need_of == need) & is_old)
            row[candidates[truth.appeal[candidates].argsort()[-1:]]] = True
    for row in bundles[len(truth.missions) :]:
        row[rng.choice(np.flatnonzero(is_old), min(2, int(is_old.sum())), replace=False)] = True
    return bundles[bundles.sum(axis=1) >= 2]


def given_bundles(truth: Truth, bundles: Flags, ids: list[str]) -> pl.DataFrame:
    """Return the shop's own bundles, one record a product."""
    bundle, product = np.nonzero(bundles)
    position = np.arange(len(bundle)) - np.searchsorted(bundle, bundle, side="left") + 1
    return pl.DataFrame(
        {
            "bundle_id": [ids[b] for b in bundle],
            "product_id": [truth.product_ids[j] for j in product],
            "position": position,
        },
        schema_overrides={"bundle_id": pl.String, "product_id": pl.String},
    )


def _days(truth: Truth, index: Ints) -> pl.Series:
    return pl.Series(
        [None if day == ALWAYS else truth.first_day + timedelta(days=int(day)) for day in index], dtype=pl.Date
    )
