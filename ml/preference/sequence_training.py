"""How a sequence network learns: every visit of every customer is predicted from the tokens of earlier days.

The loss is the binary cross-entropy over the whole catalogue. Products in a customer's window or habits are all
counted, the others by ``negatives`` drawn evenly for each batch and weighted up to all of them, so outputs stay
probabilities. Where there are events, the cross-entropy of the next action is added.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from ml.preference.actions import BASKET
from ml.preference.batches import Batch
from ml.preference.networks import Network
from ml.preference.windows import Windows

OPTIMIZERS = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}
NEXT_ACTION_WEIGHT = 0.5
"""Of the next action's loss: a choice among few beside thousands of products, so it never outweighs the baskets."""

LAST_RATE = 0.02
"""Share of the learning rate left at the last step: a rate that falls in a line lets the weights settle."""


@dataclass(frozen=True)
class Rows:
    """The shop's products as rows of the network's tables, each (P,)."""

    product: Tensor
    category: Tensor
    brand: Tensor


@dataclass(frozen=True)
class Effort:
    """How long and how fast to learn.

    Attributes
    ----------
    epochs, patience
        Rounds over all windows; how many without gain on validation end it.
    batch, negatives
        Windows a step, products drawn for each.
    optimizer, learning_rate
        Adam (Kingma and Ba 2015, ICLR) or RMSProp (Hinton 2012, lecture 6e of Neural Networks for Machine Learning).
    """

    epochs: int
    patience: int
    batch: int
    negatives: int
    optimizer: str
    learning_rate: float


def learn(
    network: Network,
    rows: Rows,
    windows: Windows,
    effort: Effort,
    rng: np.random.Generator,
    validate: Callable[[], float] | None = None,
) -> list[tuple[float, float]]:
    """Fit the network; return the training and validation loss of each epoch, and leave it as the best epoch did.

    Parameters
    ----------
    validate
        Returns the loss that decides; without it all epochs are run and the last is kept.
    """
    steps = OPTIMIZERS[effort.optimizer](network.parameters(), lr=effort.learning_rate)
    batches = effort.epochs * -(-len(windows) // effort.batch)
    slower = torch.optim.lr_scheduler.LinearLR(steps, 1.0, LAST_RATE, max(1, batches))
    curve: list[tuple[float, float]] = []
    kept = network.state_dict()
    with tqdm(total=effort.epochs, desc=network.shape.encoder, unit="epoch", disable=None) as progress:
        for epoch in range(effort.epochs):
            learnt = _epoch(network, rows, windows, effort, steps, slower, rng)
            held = validate() if validate else float("nan")
            curve.append((learnt, held))
            progress.set_postfix(learnt=learnt, held=held)
            progress.update()
            if not validate:
                continue
            best = int(np.argmin([loss for _, loss in curve]))
            if best == epoch:
                kept = {name: value.clone() for name, value in network.state_dict().items()}
            elif epoch - best >= effort.patience:
                break
    network.load_state_dict(kept)
    return curve


def _epoch(
    network: Network,
    rows: Rows,
    windows: Windows,
    effort: Effort,
    steps: torch.optim.Optimizer,
    slower: torch.optim.lr_scheduler.LinearLR,
    rng: np.random.Generator,
) -> float:
    """Go over all windows once; return the mean loss of a visit."""
    network.train()
    order, total, seen = rng.permutation(len(windows)), 0.0, 0
    for start in range(0, len(order), effort.batch):
        some = windows.some(order[start : start + effort.batch])
        loss, counted = loss_of(network, rows, some, effort.negatives, rng)
        if not counted:
            continue
        steps.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        steps.step()
        slower.step()
        total, seen = total + float(loss.detach()) * counted, seen + counted
    network.eval()
    return total / max(seen, 1)


def loss_of(
    network: Network, rows: Rows, windows: Windows, negatives: int, rng: np.random.Generator
) -> tuple[Tensor, int]:
    """Return the mean loss of a visit, over the catalogue, and how many visits were counted."""
    device = rows.product.device
    batch = Batch.learning(windows, device, rng)
    is_token = (batch.day >= 0) & (
        torch.arange(batch.day.shape[1], device=device) >= torch.from_numpy(windows.counted).to(device)[:, None]
    )
    is_counted = is_token & (batch.kind == BASKET)  # (B, S)
    counted = int(is_counted.sum())
    e = network.embedded(rows.product, rows.category, rows.brand)
    h, question, attention = network(e, batch.day, batch.kind, batch.place, batch.product, batch.seen, batch.cut)
    want = network.want(question)  # (B, S, d): a question a slot
    is_own = batch.own >= 0  # (B, O)
    inside = batch.own.clamp(min=0)
    asked = is_counted[..., None] & is_own[:, None]  # (B, S, O)
    product = rows.product[inside][:, None].expand(asked.shape)[asked]
    taste = (want @ e[inside].transpose(1, 2))[asked]
    state, shares = batch.past(attention)  # (B, S, 2) and (B, S, O, 1 + clocks)
    state = state[:, :, None]
    logits = network.logits(taste, product, state.expand(*asked.shape, 2)[asked], shares[asked])
    loss = functional.binary_cross_entropy_with_logits(logits, batch.held[asked], reduction="sum")

    catalogue = len(rows.product)
    drawn = rng.choice(catalogue, min(negatives, catalogue), replace=False)  # (N,)
    outside = torch.from_numpy(drawn).to(device)
    is_other = ~_is_among(batch.own, outside, catalogue)  # (B, N)
    logits = network.logits(want @ e[outside].T, rows.product[outside], state)
    weight = catalogue / len(drawn)  # the inverse of a product's chance to be drawn
    loss = loss + weight * functional.softplus(logits)[is_counted[..., None] & is_other[:, None]].sum()
    if bool((batch.kind > BASKET).any()):
        said = network.next_action(h[:, :-1])[is_token]  # token t foretells token t + 1, which is slot t
        loss = loss + NEXT_ACTION_WEIGHT * functional.cross_entropy(said, batch.kind[is_token], reduction="sum")
    return loss / max(counted, 1), counted


def _is_among(own: Tensor, drawn: Tensor, catalogue: int) -> Tensor:
    """Return (B, N) whether each drawn product is among a window's own."""
    there = torch.zeros(len(own), catalogue + 1, dtype=torch.bool, device=own.device)
    there.scatter_(1, own % (catalogue + 1), torch.ones_like(own, dtype=torch.bool))  # -1 falls on the last column
    return there[:, drawn]
