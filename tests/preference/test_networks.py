"""What a network may look at, and how its shares are counted: held against brute force."""

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ml.preference.batches import Batch
from ml.preference.networks import LONG_CLOCK, Network, Shape
from ml.preference.sequence_training import Rows, learn, loss_of
from ml.preference.windows import CLOCKS_DAYS, Windows
from tests.preference.test_sequence import effort

PRODUCTS, SLOTS = 7, 5
SHAPE = Shape("transformer", 8, 1, 2, 0.0, SLOTS + 1, len(CLOCKS_DAYS), 4, PRODUCTS + 1, 3, 2)
CPU = torch.device("cpu")


def windows(tokens: list[tuple[int, int, list[int]]], habits: dict[int, list[float]], earlier: list[float]) -> Windows:
    """Return one window of (day, kind, products), after habits by product and ``earlier`` faded visits."""
    day, kind = (np.array([[token[k] for token in tokens] + [-1] * (SLOTS - len(tokens))]) for k in (0, 1))
    lines = [(slot, product) for slot, (_, _, held) in enumerate(tokens) for product in held]
    slot, product = (np.array([line[k] for line in lines], np.int64) for k in (0, 1))
    habit = np.array(list(habits.values()), np.float32).reshape(-1, len(CLOCKS_DAYS))
    ends = (np.array([0, len(lines)]), np.array([0, len(habits)]))
    return Windows(day, kind, np.zeros(1, np.int64), ends[0], slot, product, ends[1], np.array(list(habits), np.int64),
                   habit, np.array([earlier], np.float32))  # fmt: skip


TOKENS = [(100, 0, [1, 2]), (103, 0, [2]), (103, 3, [4]), (130, 0, [1]), (131, 1, [])]
WINDOW = windows(TOKENS, {2: [0.1, 0.5, 2.0], 6: [0.2, 0.6, 1.0]}, [0.3, 1.1, 3.0])


def network(encoder: str = "transformer") -> Network:
    torch.manual_seed(1)
    made = Network(replace(SHAPE, encoder=encoder), torch.randn(PRODUCTS + 1)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def rows() -> Rows:
    return Rows(torch.arange(PRODUCTS) + 1, torch.arange(PRODUCTS) % 3, torch.arange(PRODUCTS) % 2)


def read(net: Network, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return h of the tokens, the questions and their copy attention."""
    all_rows = rows()
    e = net.embedded(all_rows.product, all_rows.category, all_rows.brand)
    return net(e, batch.day, batch.kind, batch.place, batch.product, batch.seen, batch.cut)  # type: ignore[no-any-return]


def learning(window: Windows, seed: int = 0) -> Batch:
    return Batch.learning(window, CPU, RNG(seed))


def asking(window: Windows, day: int) -> Batch:
    return Batch.asking(window, np.full(len(window), day), CPU)


@pytest.mark.parametrize("encoder", ["transformer", "gru", "lstm"])
def test_nothing_later_changes_what_a_token_says(encoder: str) -> None:
    other = windows([*TOKENS[:3], (140, 2, [5]), (150, 0, [3, 6])], {}, [0.0] * len(CLOCKS_DAYS))
    with torch.no_grad():
        (h, asked, attention), (other_h, other_asked, other_attention) = (
            read(network(encoder), learning(one)) for one in (WINDOW, other)
        )
    assert h.shape == (1, SLOTS + 1, SHAPE.dimensions) and attention.shape == (1, SLOTS, SLOTS + 1)
    assert asked.shape == (1, SLOTS, SHAPE.dimensions)
    assert torch.allclose(h[:, :4], other_h[:, :4], atol=1e-6)
    assert torch.allclose(asked[:, :3], other_asked[:, :3], atol=1e-6)
    assert torch.allclose(attention[:, :3], other_attention[:, :3], atol=1e-6)
    assert (h[:, 4:] - other_h[:, 4:]).abs().min(dim=2).values.max() > 1e-4, "the later token itself must count"


@pytest.mark.parametrize("encoder", ["transformer", "gru", "lstm"])
def test_empty_slots_are_not_read(encoder: str) -> None:
    short = windows(TOKENS[:2], {}, [0.0] * len(CLOCKS_DAYS))
    cut = replace(short, day=short.day[:, :2], kind=short.kind[:, :2])
    with torch.no_grad():
        (h, asked, attention), (cut_h, cut_asked, cut_attention) = (
            read(network(encoder), asking(one, 110)) for one in (short, cut)
        )
    assert torch.allclose(h[:, :3], cut_h, atol=1e-6) and torch.allclose(asked, cut_asked, atol=1e-6)
    assert torch.allclose(attention[..., :3], cut_attention, atol=1e-6)
    assert attention[..., 3:].abs().max() == 0


def test_copied_and_faded_shares_are_those_of_the_definition() -> None:
    batch, later = learning(WINDOW), asking(WINDOW, 150)
    with torch.no_grad():
        _, _, attention = read(network(), batch)
        state, shares = (part[0].numpy() for part in batch.past(attention))
        _, _, late = read(network(), later)
        every = torch.arange(PRODUCTS)
        last_state, last = (part.numpy() for part in later.past_of(late, torch.zeros_like(every), every, PRODUCTS))
    own = batch.own[0].tolist()
    assert own == [1, 2, 4, 6]
    questions = [(int(seen), int(cut)) for seen, cut in zip(batch.seen[0], batch.cut[0], strict=True)]
    assert [seen for seen, _ in questions] == [0, 1, 1, 3, 4], "what is known are the tokens of earlier days"
    for q, (seen, cut) in enumerate(questions):
        expected = np.array([_shares(attention[0, q].numpy(), seen, cut, i) for i in range(PRODUCTS)])
        assert np.allclose(shares[q], expected[own, :-1], atol=1e-6)
        assert state[q].tolist() == pytest.approx([expected[0, -1], cut - TOKENS[seen - 1][0] if seen else 0])
    expected = np.array([_shares(late[0, 0].numpy(), SLOTS, 150, i) for i in range(PRODUCTS)])
    assert np.allclose(last, expected[:, :-1], atol=1e-6) and expected[[0, 3, 5], :-1].max() == 0
    assert np.allclose(last_state, [expected[0, -1], 150 - 131])


def test_questions_are_asked_on_any_day_of_a_gap() -> None:
    cuts = np.array([learning(WINDOW, seed).cut[0].tolist() for seed in range(300)])
    assert set(cuts[:, 0]) == {100}, "before the first token there is no gap"
    assert set(cuts[:, 1]) == {101, 102, 103} and set(cuts[:, 3]) == set(range(104, 131)) and set(cuts[:, 4]) == {131}
    assert np.bincount(cuts[:, 1] - 101).min() > 60


def test_the_days_waited_count() -> None:
    """One day and two months after the last visit the same customer is asked other questions."""
    net, all_rows, every = network(), rows(), torch.arange(PRODUCTS)
    answers = []
    for day in (132, 192):
        batch = asking(WINDOW, day)
        with torch.no_grad():
            _, asked, attention = read(net, batch)
            e = net.embedded(all_rows.product, all_rows.category, all_rows.brand)
            past = batch.past_of(attention, torch.zeros_like(every), every, PRODUCTS)
            answers.append((net.logits(e @ net.want(asked[0, 0]), all_rows.product, *past), attention))
    (soon, copied), (late, copied_late) = answers
    assert (soon - late).abs().min() > 1e-3 and (copied - copied_late).abs().max() > 1e-3


def _shares(attention: np.ndarray, t: int, today: int, product: int) -> list[float]:
    """Return the copied and the faded shares of a product with t tokens known and the faded visits, as defined."""
    copied = sum(attention[s + 1] for s in range(t) if product in TOKENS[s][2])
    shares, visits = [float(copied)], []
    for k, clock in enumerate(CLOCKS_DAYS):
        back = math.exp(-(today - TOKENS[0][0]) / clock)
        seen = [(math.exp(-(today - day) / clock), held) for day, kind, held in TOKENS[:t] if kind == 0]
        habit = {2: [0.1, 0.5, 2.0], 6: [0.2, 0.6, 1.0]}.get(product, [0.0] * 3)[k]
        among = [0.3, 1.1, 3.0][k] * back + sum(weight for weight, _ in seen)
        shares.append((habit * back + sum(weight for weight, held in seen if product in held)) / among)
        visits.append(among)
    return [*shares, visits[LONG_CLOCK]]


def test_with_every_product_drawn_the_loss_is_that_of_the_catalogue() -> None:
    net, all_rows = network(), rows()
    with torch.no_grad():
        all_visits = replace(WINDOW, kind=np.zeros_like(WINDOW.kind))
        loss, counted = loss_of(net, all_rows, all_visits, PRODUCTS, RNG())
        batch = learning(all_visits)
        _, asked, attention = read(net, batch)
        e = net.embedded(all_rows.product, all_rows.category, all_rows.brand)
        total = 0.0
        for slot, (_, _, held) in enumerate(TOKENS):
            state, own_shares = (part[0, slot] for part in batch.past(attention))
            shares = torch.zeros(PRODUCTS, 1 + len(CLOCKS_DAYS))
            shares[batch.own[0]] = own_shares
            logits = net.logits(e @ net.want(asked[0, slot]), all_rows.product, state.expand(PRODUCTS, 2), shares)
            bought = torch.isin(torch.arange(PRODUCTS), torch.tensor(held, dtype=torch.long)).float()
            total += float(torch.nn.functional.binary_cross_entropy_with_logits(logits, bought, reduction="sum"))
    assert counted == len(TOKENS)
    assert float(loss) == pytest.approx(total / counted, rel=1e-5)


def test_products_drawn_stand_for_all_others_on_average() -> None:
    with torch.no_grad():
        some = [float(loss_of(network(), rows(), WINDOW, 2, RNG(seed))[0]) for seed in range(200)]
        whole = [float(loss_of(network(), rows(), WINDOW, PRODUCTS, RNG(seed))[0]) for seed in range(200)]
    assert np.mean(some) == pytest.approx(np.mean(whole), rel=0.05)


def test_learning_stops_when_validation_gets_worse_and_keeps_the_best_epoch() -> None:
    net, losses, seen = network(), iter([3.0, 2.0, 1.0, 5.0, 1.5, 0.1]), []

    def validate() -> float:
        seen.append({name: value.clone() for name, value in net.state_dict().items()})
        return next(losses)

    curve = learn(net, rows(), WINDOW, effort(epochs=6, patience=2), RNG(), validate)
    assert [held for _, held in curve] == [3.0, 2.0, 1.0, 5.0, 1.5]
    assert all(torch.equal(value, seen[2][name]) for name, value in net.state_dict().items())
    assert not all(torch.equal(value, seen[3][name]) for name, value in net.state_dict().items())


def test_adam_and_rmsprop_take_other_steps() -> None:
    nets = {}
    for optimizer in ("adam", "rmsprop"):
        nets[optimizer] = network()
        learn(nets[optimizer], rows(), WINDOW, effort(epochs=2, optimizer=optimizer), RNG())
    assert not torch.allclose(nets["adam"].want.weight, nets["rmsprop"].want.weight)


def test_a_repeated_product_is_copied_by_a_network_that_has_learnt_to() -> None:
    """Customers buy again what they bought, whatever it is; the product asked for was in no window learnt from."""
    draw, parts = RNG(), []
    for _ in range(60):
        mine = [int(draw.integers(0, PRODUCTS - 1))]
        parts.append(windows([(100 + 7 * visit, 0, mine) for visit in range(SLOTS)], {}, [0.0] * len(CLOCKS_DAYS)))
    net = Network(SHAPE, torch.zeros(PRODUCTS + 1))
    learn(net, rows(), _together(parts), effort(epochs=15, learning_rate=0.01, batch=8), RNG())
    never_learnt = PRODUCTS - 1
    asked = windows([(100, 0, [never_learnt]), (107, 0, [never_learnt])], {}, [0.0] * len(CLOCKS_DAYS))
    batch = asking(asked, 114)
    with torch.no_grad():
        _, question, attention = read(net, batch)
        e = net.embedded(rows().product, rows().category, rows().brand)
        every = torch.arange(PRODUCTS)
        past = batch.past_of(attention, torch.zeros_like(every), every, PRODUCTS)
        p = net.logits(e @ net.want(question[0, 0]), rows().product, *past).sigmoid()
    assert p.argmax() == never_learnt and p[never_learnt] > 0.5


def test_all_tensors_stand_on_the_device_of_the_network() -> None:
    meta = torch.device("meta")  # computes shapes alone, and refuses tensors of another device like a GPU would
    net, batch = network().to(meta), Batch.learning(WINDOW, meta, RNG())
    parts = [part.to(meta) for part in vars(rows()).values()]
    h, _, attention = net(
        net.embedded(*parts), batch.day, batch.kind, batch.place, batch.product, batch.seen, batch.cut
    )
    assert {part.device for part in batch.past(attention)} == {meta}
    assert net.next_action(h).shape == (1, SLOTS + 1, 4)


def RNG(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _together(parts: list[Windows]) -> Windows:
    whole = {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
    for starts, lines in (("starts", "product"), ("habit_starts", "habit_product")):
        whole[starts] = np.concatenate([[0], np.cumsum([len(vars(part)[lines]) for part in parts])])
    return Windows(**whole)


def test_before_it_has_learnt_it_is_the_decayed_personal_frequency() -> None:
    net = Network(SHAPE, torch.full((PRODUCTS + 1,), -2.0)).eval()
    popularity = 1 / (1 + math.exp(2.0))
    batch = asking(WINDOW, 140)
    with torch.no_grad():
        _, asked, attention = read(net, batch)
        e = net.embedded(rows().product, rows().category, rows().brand)
        every = torch.arange(PRODUCTS)
        past = batch.past_of(attention, torch.zeros_like(every), every, PRODUCTS)
        p = net.logits(e @ net.want(asked[0, 0]), rows().product, *past).sigmoid()
    ages = [140 - day for day, kind, _ in TOKENS if kind == 0]
    fades = [math.exp(-age / 180) for age in ages]
    visits = 1.1 * math.exp(-40 / 180) + sum(fades)
    bought = 0.5 * math.exp(-40 / 180) + fades[0] + fades[1]
    assert p[2].item() == pytest.approx((bought + popularity) / (visits + 1), rel=1e-5)
    odds = popularity / (1 - popularity) / (visits + 1)  # of what was never bought
    assert p[0].item() == pytest.approx(odds / (1 + odds), rel=1e-5)
