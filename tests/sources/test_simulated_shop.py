"""The simulated shop: one history whatever day it is asked for, clean records, and causes that can be found again."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from ml.errors import ConfigError, NothingToDo
from ml.sources.contract import TABLES
from ml.sources.simulated_shop import FIRST_AS_OF, SimulatedShop, Size
from ml.sources.validation import RECORD, sort_records

SMALL = Size(customers=40, products=30, days=30)
Tables = dict[str, pl.DataFrame]

FILLED = {name: table for name, table in TABLES.items() if name != "merch_rules"}
"""The simulated shop has no merchandiser."""


def tables(shop: SimulatedShop, as_of: date, through: date | None = None) -> Tables:
    """Return what the shop delivers up to ``as_of``, after ``through``."""
    loaded = {"order_items": through} if through else {}
    return {d.table: d.records.drop(RECORD) for d in shop.deliveries(as_of, loaded)}


@pytest.fixture(scope="module")
def shop() -> SimulatedShop:
    return SimulatedShop(Size(customers=400, products=60, days=150), seed=3)


@pytest.fixture(scope="module")
def sold(shop: SimulatedShop) -> Tables:
    return tables(shop, FIRST_AS_OF)


@pytest.fixture(scope="module")
def in_basket(shop: SimulatedShop, sold: Tables) -> np.ndarray:
    """(B, P): which baskets hold which products."""
    lines = sold["order_items"].filter(pl.col("quantity") > 0)
    baskets = lines["order_id"].rank("dense").to_numpy().astype(int) - 1
    held = np.zeros((baskets.max() + 1, len(shop.truth.product_ids)), dtype=bool)
    held[baskets, lines["product_id"].str.slice(1).cast(pl.Int64).to_numpy()] = True
    return held


def test_every_table_of_the_contract_is_filled_and_every_record_is_good() -> None:
    given = {d.table: d.records for d in SimulatedShop(SMALL, 1).deliveries(FIRST_AS_OF, {})}
    assert set(given) == set(FILLED)
    for table, records in given.items():
        outcome = sort_records(TABLES[table], records)
        assert outcome.quarantined.is_empty() and not outcome.duplicates, table
        assert outcome.accepted.height == records.height
        for column, parent in (TABLES[table].parents or {}).items():
            assert set(records[column]) <= set(given[parent][column]), f"{table}.{column}"


def test_loading_day_by_day_gives_what_loading_at_once_gives() -> None:
    shop, last = SimulatedShop(SMALL, 1), FIRST_AS_OF + timedelta(days=20)
    at_once = tables(shop, last)
    days = [None, FIRST_AS_OF - timedelta(days=9), FIRST_AS_OF, FIRST_AS_OF + timedelta(days=1), last]
    parts = [tables(shop, through, since) for since, through in pairwise(days) if through]
    for table, rule in FILLED.items():
        if rule.is_entity:
            assert parts[-1][table].equals(at_once[table]), table
        else:
            joined = pl.concat([part[table] for part in parts if table in part])
            key = [name for name in rule.key if name in joined.columns]
            assert joined.sort(key).equals(at_once[table].sort(key)), table


def test_the_same_seed_gives_the_same_shop_and_another_seed_another() -> None:
    first, again, other = (tables(SimulatedShop(SMALL, seed), FIRST_AS_OF) for seed in (1, 1, 2))
    assert all(first[name].equals(again[name]) for name in FILLED)
    assert not first["order_items"].equals(other["order_items"])


def test_no_record_is_dated_after_the_as_of_day(shop: SimulatedShop, sold: Tables) -> None:
    for table, column in (("orders", "ordered_at"), ("reviews", "reviewed_at"), ("events", "occurred_at")):
        days = sold[table][column].dt.date()
        assert days.min() >= shop.truth.first_day and days.max() <= FIRST_AS_OF, table  # type: ignore[operator]


def test_a_loaded_day_delivers_nothing_and_a_day_before_the_first_is_skipped(shop: SimulatedShop) -> None:
    assert not list(shop.deliveries(FIRST_AS_OF, {"order_items": FIRST_AS_OF}))
    with pytest.raises(NothingToDo, match="begins on"):
        next(shop.deliveries(shop.truth.first_day - timedelta(days=1), {}))


def test_a_shop_without_customers_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 customer"):
        Size(customers=0)


def test_the_shelf_never_sells_more_than_it_holds(sold: Tables) -> None:
    assert sold["stock_levels"]["on_hand_units"].min() >= 0  # type: ignore[operator]
    assert (sold["stock_levels"]["on_hand_units"] == 0).any(), "a shop without a sold-out shelf tests nothing"


def test_returns_follow_a_purchase_at_the_price_paid(sold: Tables) -> None:
    lines = sold["order_items"].join(sold["orders"], on="order_id")
    back = lines.filter(pl.col("quantity") < 0)
    assert 0 < back.height < 0.05 * lines.height
    sale = lines.filter(pl.col("quantity") > 0).with_columns(-pl.col("quantity"))
    same = ["customer_id", "product_id", "quantity", "unit_price_cents", "discount_cents"]
    assert back.join(sale, on=same, how="semi", nulls_equal=True).height == back.height


def test_a_new_product_stands_in_the_catalogue_before_it_sells(shop: SimulatedShop, sold: Tables) -> None:
    new = sold["products"].filter(pl.col("launched_on").is_not_null())
    first_sale = sold["order_items"].join(sold["orders"], on="order_id").group_by("product_id").agg(
        pl.col("ordered_at").min().dt.date().alias("first_on")
    )  # fmt: skip
    both = new.join(first_sale, on="product_id", how="left")
    assert (both["first_on"] > both["launched_on"]).all()
    launched = both.filter(pl.col("launched_on") <= FIRST_AS_OF)
    assert launched["first_on"].null_count() > 0, "no launched product without sales"


def test_complements_meet_and_substitutes_part(shop: SimulatedShop, in_basket: np.ndarray) -> None:
    """The mean ratio of observed to chance co-occurrence follows the planted relation."""
    together = in_basket.T.astype(float) @ in_basket.astype(float)
    alone = np.diag(together)
    chance = np.outer(alone, alone) / len(in_basket)
    often = np.minimum.outer(alone, alone) >= 60
    upper = np.triu(np.ones_like(often), 1).astype(bool) & often

    def ratio(pairs: np.ndarray) -> float:
        return float(together[upper & pairs].sum() / chance[upper & pairs].sum())

    truth = shop.truth
    unrelated = ~truth.complements & ~truth.substitutes
    assert ratio(truth.complements) > 1.2 * ratio(unrelated)
    assert ratio(truth.substitutes) < 0.3 * ratio(unrelated), "products of one need are hardly bought together"


def test_a_discount_sells_more(sold: Tables) -> None:
    sales = sold["order_items"].filter(pl.col("quantity") > 0).join(sold["orders"], on="order_id")
    weekly = sales.group_by("product_id", pl.col("ordered_at").dt.date().dt.truncate("1w").alias("starts_on")).agg(
        pl.col("quantity").sum()
    )
    promoted = (
        sold["promotions"].filter(pl.col("kind") == "discount").select("product_id", "starts_on", "discount_share")
    )
    usual = weekly.join(promoted, on=["product_id", "starts_on"], how="anti").group_by("product_id").agg(
        pl.col("quantity").mean().alias("usual")
    )  # fmt: skip
    lifted = weekly.join(promoted, on=["product_id", "starts_on"]).join(usual, on="product_id")
    deep = pl.col("discount_share") >= 0.2
    gain = {name: frame["quantity"].sum() / frame["usual"].sum() for name, frame in
            (("deep", lifted.filter(deep)), ("shallow", lifted.filter(~deep)))}  # fmt: skip
    assert gain["deep"] > gain["shallow"] > 1.0
    assert gain["deep"] > 1.3


def test_demand_for_a_seasonal_mission_peaks_in_its_season(shop: SimulatedShop) -> None:
    truth = shop.truth
    year = np.array([truth.season(date(2017, 1, 1) + timedelta(days=d)) for d in range(365)])
    assert np.allclose(year.mean(axis=0), 1, atol=0.05)
    strong = truth.mission_swing == 1.0
    assert np.all(np.abs(year.argmax(axis=0)[strong] - truth.mission_peak[strong]) <= 2)


def test_each_purchase_on_the_web_is_an_event_of_its_visit(sold: Tables) -> None:
    web = sold["orders"].filter((pl.col("channel") == "web") & pl.col("order_id").str.starts_with("O"))
    lines = sold["order_items"].join(web, on="order_id", how="semi")
    assert sold["events"].filter(pl.col("event_type") == "purchase").height == lines.height
    assert set(sold["events"]["session_id"]) <= set(sold["sessions"]["session_id"])
    searches = sold["events"].filter(pl.col("event_type") == "search")
    assert searches.height and searches["query_text"].null_count() == 0


def test_own_bundles_are_shown_by_chance_and_bought_within_the_order(sold: Tables) -> None:
    shown = sold["bundle_feedback"].filter(pl.col("kind") == "impression")
    bundles = sold["given_bundles"]["bundle_id"].n_unique()
    assert np.allclose(shown["propensity"], 1 / bundles)
    bought = sold["bundle_feedback"].filter(pl.col("kind") == "purchase")
    assert bought.height and set(bought["order_id"]) <= set(sold["orders"]["order_id"])
