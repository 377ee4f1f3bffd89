"""Sequence models: the next basket from what came before it, by a Transformer, a GRU or an LSTM with a copy head."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from ml.preference.actions import ACTIONS
from ml.preference.batches import Batch
from ml.preference.calibration import LogOddsLine, line_where_needed
from ml.preference.compression import Compression
from ml.preference.contract import Probabilities, check_candidates, check_fitted, read_facts, write_facts
from ml.preference.history import History, days, positions
from ml.preference.networks import Network, Shape
from ml.preference.quantization import from_int8, size_of, to_int8
from ml.preference.sequence_params import SequenceParams
from ml.preference.sequence_training import Effort, Rows, learn
from ml.preference.teaching import before, teaching
from ml.preference.torch_runtime import device, seeded
from ml.preference.windows import CLOCKS_DAYS, Tokens

WEIGHTS = "network.safetensors"
REQUESTS_AT_ONCE = 128

Ints = NDArray[np.int64]


class SequenceModel:
    """A network over a customer's last visits; what it was trained on ends before the validation requests.

    Events (views, searches, carts) are optional, see :class:`ml.preference.contract.Listener`; without them the model
    is one of visits alone. Giant baskets, and customers whose influence is bounded (see ml.influence) for their baskets
    or their runs of events, teach nothing; they are scored like all others.

    Shapes and units
    ----------------
    Tokens as in :class:`ml.preference.windows.Windows`, the network as in :class:`ml.preference.networks.Network`;
    score (n,) float64 in [0, 1].

    Raises
    ------
    NotFittedError
        When ``score``, ``refit``, ``next_action`` or ``save`` is called before ``fit``.
    """

    kind: ClassVar[str]

    def __init__(self, params: SequenceParams | None = None, events: pl.DataFrame | None = None) -> None:
        self.params = params or SequenceParams()
        self.events = events
        self.curve: list[tuple[float, float]] = []
        self.calibration = LogOddsLine()
        self.compression: Compression | None = None
        self._names: dict[str, pl.Series] = {}
        self._network: Network | None = None
        self._stored: dict[str, Tensor] = {}

    def fit(
        self,
        baskets: pl.DataFrame,
        products: pl.DataFrame,
        examples: pl.DataFrame,
    ) -> Self:
        """Learn from what came before the validation requests, stop early by them; without any, before the newest cut.

        See :class:`ml.preference.contract.PreferenceModel`.
        """
        self.calibration, self.compression = LogOddsLine(), None
        held = examples.filter("is_validation")
        if held.is_empty():
            self._learn(before(baskets, int(days(examples["cut"]).max())), products, self.params.epochs)
            return self
        history = History.of(baskets, products)
        tokens = Tokens.of(history, self.events)
        bought = held["is_bought"].to_numpy().astype(np.float64)

        def validate() -> float:
            logits = self._logits(history, products, tokens, held)
            return float(np.mean(np.logaddexp(0.0, logits) - bought * logits))

        self._learn(before(baskets, int(days(held["cut"]).min())), products, self.params.epochs, validate)
        group = positions(held["customer_id"], held["customer_id"].unique().sort())
        self.calibration = line_where_needed(self._logits(history, products, tokens, held), bought, group)
        return self

    def refit(
        self,
        baskets: pl.DataFrame,
        products: pl.DataFrame,
        examples: pl.DataFrame,
    ) -> Self:
        """Learn as many epochs as ``fit`` found best, from all baskets given: those after the examples' cuts too.

        Weights that were of 8 bits are so again.
        """
        check_fitted(self._network is not None, self.kind)
        held = [loss for _, loss in self.curve if np.isfinite(loss)]
        epochs = int(np.argmin(held)) + 1 if held else self.params.epochs
        is_small = bool(self._stored)
        self._learn(baskets, products, epochs)
        if is_small:
            self._take(to_int8(self._weights()))
        return self

    def _learn(
        self,
        baskets: pl.DataFrame,
        products: pl.DataFrame,
        epochs: int,
        validate: Callable[[], float] | None = None,
    ) -> None:
        """Learn from baskets, and from the events up to the last of them."""
        p = self.params
        history = History.of(teaching(baskets, self.events), products)
        tokens, end = Tokens.of(history, self.events), int(history.day.max(initial=0)) + 1
        self._names = {
            "products": history.products,
            "categories": products["category"].drop_nulls().unique().sort(),
            "brands": products["brand"].drop_nulls().unique().sort(),
        }
        windows = tokens.learning(p.visits, end)
        effort = Effort(epochs, p.patience, p.batch, p.negatives, p.optimizer, p.learning_rate)
        with seeded(p.threads, p.seed):
            log_odds = tokens.log_odds(len(history.products), end)
            self._network, self._stored = Network(self._shape(), torch.from_numpy(log_odds)).to(device()), {}
            rows = self._rows(history, products)
            self.curve = learn(self._network, rows, windows, effort, np.random.default_rng(p.seed), validate)

    def score(
        self,
        baskets: pl.DataFrame,
        products: pl.DataFrame,
        candidates: pl.DataFrame,
    ) -> Probabilities:
        """Return P of each candidate; what was never seen is known by category and brand alone."""
        check_fitted(self._network is not None, self.kind)
        check_candidates(candidates)
        if candidates.is_empty():
            return np.empty(0)
        history = History.of(baskets, products)
        return self.calibration(self._logits(history, products, Tokens.of(history, self.events), candidates))

    def next_action(self, baskets: pl.DataFrame, products: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
        """Return how probable each kind of action is as the customer's next.

        Parameters
        ----------
        requests
            ``customer_id``, ``cut``; what happened before the cut is known.

        Returns
        -------
        The requests with a column for each of :data:`ml.preference.actions.ACTIONS`, summing to 1; they mean
        something where the model was fitted with events.
        """
        network, history = self._fitted(), History.of(baskets, products)
        customers, cuts = positions(requests["customer_id"], history.customers), days(requests["cut"])
        rows, tokens = self._rows(history, products), Tokens.of(history, self.events)
        parts = [np.empty((0, len(ACTIONS)))]
        with seeded(self.params.threads, self.params.seed), torch.no_grad():
            for first in range(0, requests.height, REQUESTS_AT_ONCE):
                some = slice(first, first + REQUESTS_AT_ONCE)
                batch = self._batch(tokens, customers[some], cuts[some])
                _, h, _, _ = _read(network, rows, batch)
                last = h[torch.arange(len(h), device=h.device), batch.seen[:, 0]]
                parts.append(network.next_action(last).softmax(dim=1).double().cpu().numpy())
        return requests.with_columns(pl.DataFrame(np.concatenate(parts), schema=list(ACTIONS)))

    @torch.no_grad()
    def _logits(
        self, history: History, products: pl.DataFrame, tokens: Tokens, candidates: pl.DataFrame
    ) -> NDArray[np.float64]:
        """Return (n,) logits of each candidate."""
        network, rows = self._fitted(), self._rows(history, products)
        requests = candidates.select("customer_id", "cut").unique().sort("customer_id", "cut").with_row_index("request")
        numbered = candidates.join(requests, on=["customer_id", "cut"], how="left", maintain_order="left")
        request = numbered["request"].to_numpy().astype(np.int64)
        product = positions(candidates["product_id"], history.products) % len(rows.product)  # unheard of: the last
        customers, cuts = positions(requests["customer_id"], history.customers), days(requests["cut"])
        order = np.argsort(request, kind="stable")
        logits = np.empty(len(request))
        with seeded(self.params.threads, self.params.seed):
            for first in range(0, requests.height, REQUESTS_AT_ONCE):
                some = slice(first, first + REQUESTS_AT_ONCE)
                batch = self._batch(tokens, customers[some], cuts[some])
                mine = order[slice(*np.searchsorted(request[order], [first, first + REQUESTS_AT_ONCE]))]
                row, wanted = (torch.from_numpy(part).to(device()) for part in (request[mine] - first, product[mine]))
                e, _, question, attention = _read(network, rows, batch)
                taste = (network.want(question[:, 0])[row] * e[wanted]).sum(dim=1)
                past = batch.past_of(attention, row, wanted, len(e))
                logits[mine] = network.logits(taste, rows.product[wanted], *past).double().cpu().numpy()
        return logits

    def _batch(self, tokens: Tokens, customers: Ints, cuts: Ints) -> Batch:
        """Return the customers' last tokens before their cuts, and what is asked there."""
        return Batch.asking(tokens.last(customers, cuts, self.params.visits), cuts, device())

    def _rows(self, history: History, products: pl.DataFrame) -> Rows:
        """Return the rows of the history's products, and a last one of what nobody has heard of."""
        labels = pl.DataFrame({"product_id": history.products}).join(
            products.select("product_id", "category", "brand").unique("product_id"),
            on="product_id",
            how="left",
            maintain_order="left",
        )
        columns = {"products": "product_id", "categories": "category", "brands": "brand"}
        numbers = (positions(labels[own], self._names[table]) + 1 for table, own in columns.items())
        return Rows(*(torch.from_numpy(np.append(part, 0)).to(device()) for part in numbers))

    def _shape(self) -> Shape:
        p, names = self.params, self._names
        sizes = (len(names[table]) + 1 for table in ("products", "categories", "brands"))
        encoder = (self.kind, p.dimensions, p.layers, p.heads, p.dropout, p.visits + 1)
        return Shape(*encoder, len(CLOCKS_DAYS), len(ACTIONS), *sizes)

    def in_int8(self) -> Self:
        """Return this model with weights of 8 bits, as it is saved and as it scores; a ``fit`` of it has 32 again."""
        small = type(self)(self.params, self.events)
        small.curve, small.calibration, small._names = self.curve, self.calibration, self._names
        small._take(to_int8(self._weights()))
        return small

    @property
    def weight_bytes(self) -> int:
        """Return the size of the weights as they are saved."""
        return size_of(self._stored or self._weights())

    def _fitted(self) -> Network:
        check_fitted(self._network is not None, self.kind)
        assert self._network is not None  # noqa: S101 - for the type checker; checked above
        return self._network

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.cpu() for name, value in self._fitted().state_dict().items()}

    def _take(self, stored: dict[str, Tensor]) -> None:
        """Become the network of these weights, of 8 bits or 32."""
        self._stored = stored
        self._network = Network(self._shape(), torch.zeros(len(self._names["products"]) + 1))
        self._network.load_state_dict(from_int8(stored))
        self._network.to(device()).eval()

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors, names and params as JSON."""
        check_fitted(self._network is not None, self.kind)
        names = {table: labels.to_list() for table, labels in self._names.items()}
        facts = {"params": asdict(self.params), "calibration": asdict(self.calibration), "curve": self.curve, **names}
        write_facts(folder, self.kind, facts | ({"compression": asdict(self.compression)} if self.compression else {}))
        save_file(self._stored or self._weights(), folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts = read_facts(folder)
        model = cls(SequenceParams(**facts["params"]))
        model.curve = [(learnt, held) for learnt, held in facts["curve"]]
        model.calibration = LogOddsLine(**facts["calibration"])
        model.compression = Compression(**facts["compression"]) if "compression" in facts else None
        model._names = {
            table: pl.Series(facts[table], dtype=pl.String) for table in ("products", "categories", "brands")
        }
        model._take(load_file(folder / WEIGHTS))
        return model


def _read(network: Network, rows: Rows, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return e (P, d), and h (B, T, d), the questions (B, Q, d) and their copy attention (B, Q, T)."""
    e = network.embedded(rows.product, rows.category, rows.brand)
    return e, *network(e, batch.day, batch.kind, batch.place, batch.product, batch.seen, batch.cut)


class Transformer(SequenceModel):
    """Multi-head self-attention over visits."""

    kind = "transformer"


class Gru(SequenceModel):
    """Gated recurrent units over visits."""

    kind = "gru"


class Lstm(SequenceModel):
    """Long short-term memory over visits."""

    kind = "lstm"
