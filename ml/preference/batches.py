"""Windows as tensors: what a network reads, and how often each customer has had each product."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ml.preference.actions import BASKET
from ml.preference.networks import LONG_CLOCK, waited
from ml.preference.windows import CLOCKS_DAYS, Windows

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Windows as tensors on the network's device, with the products that are each window's own, and Q questions each.

    A question is what the next visit on or after a day, its *cut*, will hold; tokens of earlier days are known.

    Attributes
    ----------
    day, kind
        (B, S) as in :class:`ml.preference.windows.Windows`.
    place, product
        (L,) ``row * T + token`` of each line, the start token being 0; its product.
    own
        (B, O) products of the window and its habits, ascending, then -1.
    held
        (B, S, O) 1 where a token holds an own product.
    habit, earlier
        (B, clocks, O) and (B, clocks): faded visits before the window that held it, and all.
    seen, cut
        (B, Q) how many tokens of the window are known to each question, which is the last known one's place after the
        start token; its day.
    """

    day: Tensor
    kind: Tensor
    place: Tensor
    product: Tensor
    own: Tensor
    held: Tensor
    habit: Tensor
    earlier: Tensor
    seen: Tensor
    cut: Tensor

    @classmethod
    def learning(cls, windows: Windows, device: torch.device, rng: np.random.Generator) -> "Batch":
        """Return windows with a question a token, as if asked on a day between the last known one and the token's.

        Of these days each is as likely: a shop asks on its own days, not on the day of the customer's last visit.
        """
        day = windows.day
        is_earlier = (day[:, None, :] < day[:, :, None]) & (day[:, None, :] >= 0)  # (B, Q, S)
        seen = is_earlier.sum(axis=2)
        last = np.take_along_axis(day, np.maximum(seen - 1, 0), axis=1)
        waited = rng.random(day.shape) * np.where(seen > 0, day - last, 1)
        return cls._of(windows, seen, day - waited.astype(np.int64), device)

    @classmethod
    def asking(cls, windows: Windows, cuts: Ints, device: torch.device) -> "Batch":
        """Return windows with one question each, at its cut (B,): all tokens are known."""
        return cls._of(windows, (windows.day >= 0).sum(axis=1)[:, None], cuts[:, None], device)

    @classmethod
    def _of(cls, windows: Windows, seen: Ints, cut: Ints, device: torch.device) -> "Batch":
        size, (rows, slots) = len(windows), windows.day.shape
        row = np.repeat(np.arange(size), np.diff(windows.starts))
        habit_row = np.repeat(np.arange(size), np.diff(windows.habit_starts))
        own, at = _own(np.concatenate([row, habit_row]), np.concatenate([windows.product, windows.habit_product]), size)
        held = np.zeros((rows, slots, own.shape[1]), np.float32)
        held[row, windows.slot, at[: len(row)]] = 1.0
        habit = np.zeros((rows, windows.earlier.shape[1], own.shape[1]), np.float32)
        habit[habit_row, :, at[len(row) :]] = windows.habit
        place = row * (slots + 1) + windows.slot + 1
        parts = (windows.day, windows.kind, place, windows.product, own, held, habit, windows.earlier, seen, cut)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def past(self, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Return state (B, Q, 2) and shares (B, Q, O, 1 + clocks) of own products, as ``logits`` takes them.

        Parameters
        ----------
        attention
            (B, Q, T), of :class:`ml.preference.networks.Network`.
        """
        clocks = torch.tensor(CLOCKS_DAYS, dtype=torch.float32, device=self.day.device)
        fades = fading(self.day, self.kind == BASKET, self.seen, self.cut, clocks)  # (B, K, Q, S)
        since = torch.exp(-(self.cut - self.day[:, :1]).clamp(min=0)[:, None] / clocks[:, None])  # (B, K, Q)
        visits = fades.sum(dim=3) + since * self.earlier[..., None]  # (B, K, Q)
        counts = fades @ self.held[:, None] + since[..., None] * self.habit[:, :, None]  # (B, K, Q, O)
        faded = counts / visits.clamp(min=1e-6)[..., None]
        shares = torch.cat([(attention[..., 1:] @ self.held)[:, None], faded], dim=1)
        gap = waited(self.day, self.seen, self.cut).to(visits.dtype)
        return torch.stack([visits[:, LONG_CLOCK], gap], dim=2), shares.permute(0, 2, 3, 1)

    def past_of(self, attention: Tensor, row: Tensor, product: Tensor, catalogue: int) -> tuple[Tensor, Tensor]:
        """Return state (n, 2) and shares (n, 1 + clocks) of given products at the first question of each window.

        Parameters
        ----------
        attention
            (B, Q, T).
        row, product
            (n,) windows and products asked for, own or not.
        catalogue
            How many products there are.
        """
        state, shares = self.past(attention)
        shares = functional.pad(shares[:, 0], (0, 0, 0, 1))  # one more column, of nothing
        column = row.new_full((len(self.own), catalogue + 1), -1)
        numbers = torch.arange(self.own.shape[1], device=row.device).expand_as(self.own)
        column.scatter_(1, self.own % (catalogue + 1), numbers)  # -1 falls on the last column
        return state[row, 0], shares[row, column[row, product]]


def fading(day: Tensor, is_visit: Tensor, seen: Tensor, cut: Tensor, clocks: Tensor) -> Tensor:
    """Return exp(-age / clock) of each known visit at each question's cut; nothing of other tokens.

    Parameters
    ----------
    day, is_visit
        (B, S) days, and which tokens are visits.
    seen, cut
        (B, Q) of the questions.
    clocks
        (K,) days.

    Returns
    -------
    (B, K, Q, S).
    """
    age = (cut[:, :, None] - day[:, None, :]).clamp(min=0)  # (B, Q, S)
    is_known = (torch.arange(day.shape[1], device=day.device) < seen[..., None]) & is_visit[:, None]
    return torch.exp(-age[:, None] / clocks[:, None, None]) * is_known[:, None]


def _own(row: Ints, product: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the products of each row, ascending, then -1; and where each line's product stands among them."""
    span = int(product.max(initial=0)) + 1
    keys, line_key = np.unique(row * span + product, return_inverse=True)
    of_row = keys // span
    firsts = np.searchsorted(of_row, np.arange(size))
    own = np.full((size, int(np.bincount(of_row, minlength=1).max(initial=1))), -1, np.int64)
    own[of_row, np.arange(len(keys)) - firsts[of_row]] = keys % span
    return own, line_key - firsts[row]
