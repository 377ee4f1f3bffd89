"""Sequence models beyond the contract of all models: what they learn on planted shops."""

from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from ml.errors import ConfigError, DataError, NotFittedError
from ml.preference.actions import ACTIONS
from ml.preference.load import load_model
from ml.preference.sequence import WEIGHTS, Gru, Lstm, SequenceModel, Transformer
from ml.preference.sequence_params import SequenceParams
from ml.preference.sequence_training import Effort
from ml.preference.torch_runtime import device, seeded
from tests.preference.conftest import CUT, FIRST, World, basket, everything

QUICK = SequenceParams(dimensions=16, layers=1, visits=12, epochs=4, negatives=20, learning_rate=0.01)


def effort(**changes: object) -> Effort:
    names = ("epochs", "patience", "batch", "negatives", "optimizer", "learning_rate")
    return Effort(**{name: value for name, value in asdict(QUICK).items() if name in names} | changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fitted(world: World) -> Transformer:
    return Transformer(QUICK).fit(world.baskets, world.products, world.examples)


def test_the_encoder_is_chosen_by_a_switch(world: World) -> None:
    encoders = {Transformer: torch.nn.TransformerEncoder, Gru: torch.nn.GRU, Lstm: torch.nn.LSTM}
    for kind, encoder in encoders.items():
        model = kind(replace(QUICK, epochs=1)).fit(world.baskets, world.products, world.examples)
        assert type(network_of(model).encoder) is encoder


def network_of(model: SequenceModel) -> torch.nn.Module:
    assert model._network is not None
    return model._network


def test_favourites_of_a_customer_nobody_learnt_from_are_found(world: World, fitted: Transformer) -> None:
    visits = [basket("new", FIRST + timedelta(days=5 * k), ["p03", "p11"]) for k in range(8)]
    baskets = pl.concat([world.baskets, pl.DataFrame(visits)])
    asked = everything(["new"], world.products["product_id"].to_list(), CUT)
    p = fitted.score(baskets, world.products, asked)
    assert set(np.argsort(-p)[:2].tolist()) == {3, 11}


def test_probabilities_mean_what_they_say(world: World, fitted: Transformer) -> None:
    past, later = world.baskets.filter(pl.col("basket_on") < CUT), world.baskets.filter(pl.col("basket_on") >= CUT)
    first = later.sort("basket_on").group_by("customer_id").first()
    bought = first.select("customer_id", product_id="product_ids", is_bought=True).explode("product_id")
    asked = everything(first["customer_id"].to_list(), world.products["product_id"].to_list(), CUT)
    happened = asked.join(bought, on=["customer_id", "product_id"], how="left", maintain_order="left")["is_bought"]
    p, y = fitted.score(past, world.products, asked), happened.fill_null(False).to_numpy()
    assert p.mean() == pytest.approx(y.mean(), rel=0.1)
    assert p[p > 0.3].mean() == pytest.approx(y[p > 0.3].mean(), rel=0.15)
    assert np.mean((p - y) ** 2) < 0.85 * y.mean() * (1 - y.mean()), "no better than the base rate"


def test_a_product_never_sold_is_known_by_category_and_brand(world: World, fitted: Transformer) -> None:
    new = pl.DataFrame(
        {
            "product_id": ["new 1", "new 2", "new 3"],
            "category": ["category 0", "category 0", "category 1"],
            "brand": ["brand 0", "brand 0", "brand 0"],
        }
    )
    products = pl.concat([world.products, new])
    one, same, other = fitted.score(world.baskets, products, everything(["c00"], ["new 1", "new 2", "new 3"], CUT))
    assert one == same != other


def test_customers_without_history_are_asked_alike(world: World, fitted: Transformer) -> None:
    p = fitted.score(world.baskets, world.products, everything(["nobody", "no one"], ["p00", "p01"], CUT))
    assert p[:2].tolist() == p[2:].tolist() and (p > 0).all()


def test_habits_older_than_the_window_still_count(world: World, fitted: Transformer) -> None:
    old = [basket("new", FIRST + timedelta(days=k), ["p03"]) for k in range(20)]
    recent = [basket("new", FIRST + timedelta(days=20 + k), ["p07"]) for k in range(QUICK.visits)]
    baskets = pl.concat([world.baskets, pl.DataFrame([*old, *recent])])
    forgotten = pl.concat([world.baskets, pl.DataFrame(recent)])
    asked = everything(["new"], ["p03"], FIRST + timedelta(days=40))
    before, after = (fitted.score(frame, world.products, asked)[0] for frame in (forgotten, baskets))
    assert after > 1.5 * before


def test_the_refit_learns_as_long_as_the_fit_found_best(world: World) -> None:
    model = Transformer(replace(QUICK, epochs=3)).fit(world.baskets, world.products, world.examples)
    best = int(np.argmin([held for _, held in model.curve])) + 1
    calibration = model.calibration
    model.refit(world.baskets, world.products, world.examples)
    assert len(model.curve) == best and model.calibration == calibration


def test_weights_are_kept_as_safetensors(fitted: Transformer, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert set(load_file(tmp_path / WEIGHTS)) == set(network_of(fitted).state_dict())


def events_of(world: World) -> pl.DataFrame:
    """Return a view of each product two days before it is bought, in half of the visits."""
    lines = world.baskets.select("customer_id", "basket_on", product_id="product_ids").explode("product_id")
    seen = lines.with_columns(occurred_on=pl.col("basket_on") - timedelta(days=2), event_type=pl.lit("view"))
    return seen.filter(pl.col("basket_on").dt.day() % 2 == 0).drop("basket_on")


def test_a_view_raises_the_preference_for_what_was_viewed(world: World) -> None:
    events = events_of(world)
    params = replace(QUICK, visits=24, epochs=6, batch=4, learning_rate=0.02)
    model = Transformer(params, events).fit(world.baskets, world.products, world.examples)
    known = events.filter(pl.col("occurred_on") < CUT - timedelta(days=3))
    asked = everything([f"c{k:02d}" for k in range(20)], ["p05"], CUT)
    viewed = asked.select(
        "customer_id", "product_id", occurred_on=pl.lit(CUT - timedelta(days=1)), event_type=pl.lit("view")
    )
    later = viewed.with_columns(occurred_on=pl.lit(CUT))
    found = []
    for more in (viewed, viewed.clear(), later):
        model.events = pl.concat([known, more.select(known.columns)])
        found.append(model.score(world.baskets, world.products, asked))
    with_view, without, too_late = found
    assert np.mean(with_view > without) >= 0.9 and np.median(with_view / without) > 3
    assert np.array_equal(too_late, without), "a view on the day of the cut is not known in its morning"


def test_no_events_are_the_same_as_none(world: World) -> None:
    params, nothing = replace(QUICK, epochs=1), events_of(world).clear()
    asked = everything(["c00"], ["p00", "p01"], CUT)
    without, empty = (
        Gru(params, events)
        .fit(world.baskets, world.products, world.examples)
        .score(world.baskets, world.products, asked)
        for events in (None, nothing)
    )
    assert np.array_equal(without, empty)


def test_the_next_action_is_foretold(world: World) -> None:
    """A view is followed by a visit two days later; so after a view a purchase comes next."""
    events = events_of(world)
    model = Transformer(replace(QUICK, visits=24, epochs=8), events).fit(world.baskets, world.products, world.examples)
    requests = everything([f"c{k:02d}" for k in range(10)], ["p00"], CUT).select("customer_id", "cut")
    viewed = requests.select("customer_id", occurred_on=pl.lit(CUT - timedelta(days=1)), event_type=pl.lit("view"))
    known = pl.concat([events, viewed.with_columns(product_id=pl.lit("p00")).select(events.columns)])
    past = known.filter(pl.col("occurred_on") < CUT)
    model.events = past
    p = model.next_action(world.baskets, world.products, requests)
    assert p.select(pl.sum_horizontal(ACTIONS)).to_series().to_list() == pytest.approx([1.0] * 10)
    assert (p["purchase"] > 0.8).all() and (p["cart"] < 0.05).all()
    with pytest.raises(NotFittedError, match="transformer"):
        Transformer().next_action(world.baskets, world.products, requests)


def test_the_order_within_a_day_is_learnt(world: World) -> None:
    """Every visit begins with a view, goes on with the cart and ends with the purchase, within minutes."""
    visits = world.baskets.select("customer_id", "basket_on", product_id=pl.col("product_ids").list.first())
    at = pl.col("basket_on").cast(pl.Datetime("us"))
    events = pl.concat(
        visits.select("customer_id", "product_id", event_type=pl.lit(kind), occurred_at=at.dt.offset_by(f"{after}m"))
        for kind, after in (("view", 600), ("cart", 605), ("purchase", 610))
    )
    model = Transformer(replace(QUICK, visits=24, epochs=5), events).fit(world.baskets, world.products, world.examples)
    last = visits.group_by("customer_id").agg(pl.col("basket_on").max()).sort("customer_id").head(10)
    requests = last.select("customer_id", cut=pl.col("basket_on") + timedelta(days=1))
    earlier = world.baskets.join(last, on=["customer_id", "basket_on"], how="anti")
    age = events.join(last, on="customer_id", how="left", maintain_order="left").select(
        pl.col("occurred_at") - pl.col("basket_on").cast(pl.Datetime("us"))
    )
    for until, baskets, following in ((604, earlier, "cart"), (609, earlier, "purchase"), (611, world.baskets, "view")):
        model.events = events.filter((age.to_series() < timedelta(minutes=until)).fill_null(True))
        p = model.next_action(baskets, world.products, requests)
        assert (p[following] > 0.7).all(), following


def test_the_days_since_the_last_visit_count(world: World) -> None:
    """Product p19 is bought only after a month of absence; so it is worth nothing to who came yesterday."""
    rows = []
    for k in range(40):
        on, draw = FIRST, np.random.default_rng(k)
        for _ in range(20):
            waited = int(draw.choice([2, 40]))
            on += timedelta(days=waited)
            rows.append(basket(f"c{k:02d}", on, ["p19" if waited > 20 else "p00", "p01"]))
    baskets, cut = pl.DataFrame(rows), FIRST + timedelta(days=1000)
    examples = everything(["c00"], ["p00"], cut).with_columns(is_bought=True, is_validation=False)
    params = replace(QUICK, epochs=8, batch=4, learning_rate=0.02)
    model = Transformer(params).fit(baskets, world.products, examples)
    last = baskets.group_by("customer_id").agg(cut=pl.col("basket_on").max()).sort("customer_id")
    asked = last.with_columns(product_id=pl.lit("p19"))
    soon, late = (
        model.score(baskets, world.products, asked.with_columns(pl.col("cut") + timedelta(days=days)))
        for days in (1, 38)
    )
    assert (late > soon).all() and late.mean() > 0.8 and soon.mean() < 0.6


def test_a_gpu_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device().type == "cuda"


def test_torch_is_left_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    with seeded(threads + 1, 7):
        torch.rand(1)
        assert torch.get_num_threads() == threads + 1
    assert torch.get_num_threads() == threads and torch.equal(torch.random.get_rng_state(), state)


def test_a_model_without_torch_says_what_to_install(
    fitted: Transformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted.save(tmp_path)
    monkeypatch.setattr("ml.preference.load.find_spec", lambda _: None)
    with pytest.raises(DataError, match="requirements-deep"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"), [("dimensions", 0), ("dropout", 1.0), ("heads", 3), ("optimizer", "sgd"), ("learning_rate", 0.0)]
)
def test_params_refuse_nonsense_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        replace(QUICK, **{name: value})
