"""Windows as tensors: what a network reads, and how often each customer has had each product."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ml.preference.actions import BASKET
from ml.preference.networks import LONG_CLOCK
from ml.preference.windows import CLOCKS_DAYS, Windows

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Windows as tensors on the network's device, with the products that are each window's own.

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
    """

    day: Tensor
    kind: Tensor
    place: Tensor
    product: Tensor
    own: Tensor
    held: Tensor
    habit: Tensor
    earlier: Tensor

    @classmethod
    def of(cls, windows: Windows, device: torch.device) -> "Batch":
        """Return the tensors of windows."""
        size, (rows, slots) = len(windows), windows.day.shape
        row = np.repeat(np.arange(size), np.diff(windows.starts))
        habit_row = np.repeat(np.arange(size), np.diff(windows.habit_starts))
        own, at = _own(np.concatenate([row, habit_row]), np.concatenate([windows.product, windows.habit_product]), size)
        held = np.zeros((rows, slots, own.shape[1]), np.float32)
        held[row, windows.slot, at[: len(row)]] = 1.0
        habit = np.zeros((rows, windows.earlier.shape[1], own.shape[1]), np.float32)
        habit[habit_row, :, at[len(row) :]] = windows.habit
        place = row * (slots + 1) + windows.slot + 1
        parts = (windows.day, windows.kind, place, windows.product, own, held, habit, windows.earlier)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    def past(self, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Return visits (B, T - 1, 1) and shares (B, T - 1, O, 1 + clocks) of own products, as ``logits`` takes them.

        Parameters
        ----------
        attention
            (B, T, T), of :class:`ml.preference.networks.Network`; the last token predicts nothing and is left out.
        """
        fades, since = self._fades()
        return self._past(attention[:, :-1], fades[:, :, :-1], since[:, :, :-1])

    def past_of(self, attention: Tensor, row: Tensor, product: Tensor, catalogue: int) -> tuple[Tensor, Tensor]:
        """Return visits (n,) and shares (n, 1 + clocks) of given products after the last token.

        Parameters
        ----------
        attention
            (B, T) of the last tokens.
        row, product
            (n,) windows and products asked for, own or not.
        catalogue
            How many products there are.
        """
        every, last = torch.arange(len(self.day), device=row.device), (self.day >= 0).sum(dim=1)
        fades, since = self._fades()
        visits, shares = self._past(
            attention[:, None], fades[every, :, last][:, :, None], since[every, :, last][..., None]
        )
        shares = functional.pad(shares[:, 0], (0, 0, 0, 1))  # one more column, of nothing
        column = row.new_full((len(self.own), catalogue + 1), -1)
        numbers = torch.arange(self.own.shape[1], device=row.device).expand_as(self.own)
        column.scatter_(1, self.own % (catalogue + 1), numbers)  # -1 falls on the last column
        return visits[row, 0, 0], shares[row, column[row, product]]

    def _fades(self) -> tuple[Tensor, Tensor]:
        """Return how much each visit (B, clocks, T, S) and what was before the window (B, clocks, T) counts."""
        clocks = torch.tensor(CLOCKS_DAYS, dtype=torch.float32, device=self.day.device)
        on = torch.cat([self.day[:, :1], self.day], dim=1)
        since = torch.exp(-(on - on[:, :1]).clamp(min=0)[:, None] / clocks[:, None])
        return fading(self.day, self.kind == BASKET, clocks), since

    def _past(self, attention: Tensor, fades: Tensor, since: Tensor) -> tuple[Tensor, Tensor]:
        """Return visits (B, tokens, 1) and shares (B, tokens, O, 1 + clocks) after tokens that look back like this."""
        visits = fades.sum(dim=3) + since * self.earlier[..., None]  # (B, K, tokens)
        counts = fades @ self.held[:, None] + since[..., None] * self.habit[:, :, None]  # (B, K, tokens, O)
        faded = counts / visits.clamp(min=1e-6)[..., None]
        shares = torch.cat([(attention[..., 1:] @ self.held)[:, None], faded], dim=1)
        return visits[:, LONG_CLOCK, :, None], shares.permute(0, 2, 3, 1)


def fading(day: Tensor, is_visit: Tensor, clocks: Tensor) -> Tensor:
    """Return exp(-age / clock) of each visit, seen from each token on or after it; nothing of other tokens.

    Parameters
    ----------
    day, is_visit
        (B, S) days, and which tokens are visits.
    clocks
        (K,) days.

    Returns
    -------
    (B, K, T, S); the token in front stands on the first day.
    """
    on = torch.cat([day[:, :1], day], dim=1)
    age = (on[:, :, None] - day[:, None, :]).clamp(min=0)  # (B, T, S)
    steps = torch.arange(day.shape[1] + 1, device=day.device)
    is_seen = (steps[:, None] > steps[:-1]) & is_visit[:, None, :]  # token t is the start or visit t - 1
    return torch.exp(-age[:, None] / clocks[:, None, None]) * is_seen[:, None]


def _own(row: Ints, product: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the products of each row, ascending, then -1; and where each line's product stands among them."""
    span = int(product.max(initial=0)) + 1
    keys, line_key = np.unique(row * span + product, return_inverse=True)
    of_row = keys // span
    firsts = np.searchsorted(of_row, np.arange(size))
    own = np.full((size, int(np.bincount(of_row, minlength=1).max(initial=1))), -1, np.int64)
    own[of_row, np.arange(len(keys)) - firsts[of_row]] = keys % span
    return own, line_key - firsts[row]
