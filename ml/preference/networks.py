"""Networks that read a window of visits and events: a Transformer, a GRU or an LSTM, each with a copy head.

B windows of T tokens: a start token, then up to S = T - 1 visits and runs of events. Q questions a window ask what the
next visit on or after a day will hold, the question's cut; the tokens of earlier days are known, t being the last of
them, g days before the cut. The logit of product i at question q is

    w(h_t + b_g) . e_i + o_qi + r(x_qi),    x_qi = (log(1 + 55 c_qi), log(1 + 55 f_qi), log(1 + n_q), log(1 + g), o_qi),

with e_i of product, category and brand together, so that a product never sold has one too; b_g of the days waited;
c_qi = sum_s a_qs [i in token s] with a_qs an attention over the tokens up to t that knows their age at the cut (the
copy or pointer head: See, Liu and Manning 2017, ACL); f_qi the shares of ALL the customer's visits up to t that held i,
each visit faded over one of several clocks, so that habits older than the window count; n_q the visits themselves,
faded up to the cut. o_qi starts as the log odds of the decayed personal frequency (f n + p_i) / (n + 1), p_i the
product's popularity, so learning begins at the best simple baseline, and r, a small network, corrects it. Of products
that the customer never bought o_qi is a line of log(1 + n), the popularity's log odds and log(1 + g), and r is nothing
unless they were looked at. A second head says which action comes after each token.
Transformer: Vaswani et al. 2017, NIPS; GRU: Cho et al. 2014, EMNLP; LSTM: Hochreiter and Schmidhuber 1997,
Neural Comput. 9.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

GAP_BUCKETS = 10
"""Of days: 0, 1 to 2, 3 to 6 and so on, each twice as wide as the one before."""

LONG_CLOCK = 1
"""Which clock the decayed personal frequency uses: 180 days."""
SHARPNESS = 55.0
"""Shares below about 1 / SHARPNESS count in a line, those above by their logarithm."""


@dataclass(frozen=True)
class Shape:
    """What a network is built for.

    Attributes
    ----------
    encoder
        "transformer", "gru" or "lstm".
    dimensions, layers, heads, dropout
        Of the encoder; heads matter to the Transformer alone.
    tokens
        T, the start token included.
    clocks, actions
        How many fading shares; how many kinds of tokens.
    products, categories, brands
        How many rows their tables have; row 0 is for what was never seen.
    """

    encoder: str
    dimensions: int
    layers: int
    heads: int
    dropout: float
    tokens: int
    clocks: int
    actions: int
    products: int
    categories: int
    brands: int


class Network(nn.Module):
    """Embeddings, an encoder and its heads; see the head of this file."""

    def __init__(self, shape: Shape, log_odds: Tensor) -> None:
        super().__init__()
        d = shape.dimensions
        self.shape = shape
        self.product = nn.Embedding(shape.products, d, padding_idx=0)
        self.category = nn.Embedding(shape.categories, d, padding_idx=0)
        self.brand = nn.Embedding(shape.brands, d, padding_idx=0)
        for table in (self.product, self.category, self.brand):
            nn.init.normal_(table.weight, std=0.1)
            nn.init.zeros_(table.weight[0])
        self.log_odds = nn.Embedding.from_pretrained(log_odds[:, None], freeze=False)
        self.gap = nn.Embedding(GAP_BUCKETS, d)
        self.until = nn.Embedding(GAP_BUCKETS, d)
        self.place = nn.Embedding(shape.tokens, d)
        self.action = nn.Embedding(shape.actions, d, padding_idx=0)  # a visit is marked by no vector
        self.start = nn.Parameter(torch.zeros(d))
        self.norm = nn.LayerNorm(d)
        self.encoder = _encoder(shape)
        self.want = nn.Linear(d, d)
        self.next_action = nn.Linear(d, shape.actions)
        self.query, self.key = nn.Linear(d, d), nn.Linear(d, d)
        self.copy_age = nn.Embedding(GAP_BUCKETS, 1)
        self.copy_back = nn.Embedding(shape.tokens, 1)
        self.copy_action = nn.Embedding(shape.actions, 1)
        self.correction = nn.Sequential(nn.Linear(4 + shape.clocks, 16), nn.GELU(), nn.Linear(16, 1))
        self.never = nn.Parameter(torch.tensor([-1.0, 0.0, 0.0, 0.0]))
        # taste and correction start from nothing: drawn at random they would drown the habits
        parts = (self.until, self.copy_age, self.copy_back, self.copy_action, self.want, self.correction[-1])
        for value in (value for part in parts for value in part.parameters()):
            nn.init.zeros_(value)

    def embedded(self, product: Tensor, category: Tensor, brand: Tensor) -> Tensor:
        """Return e (P, d) of products by their rows in the three tables, each (P,)."""
        e: Tensor = self.product(product) + self.category(category) + self.brand(brand)
        return e

    def forward(
        self, e: Tensor, day: Tensor, kind: Tensor, place: Tensor, product: Tensor, seen: Tensor, cut: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return h (B, T, d), h + b of the questions (B, Q, d), and a (B, Q, T), whose first column is nothing.

        Parameters
        ----------
        e
            (P, d), of :meth:`embedded`.
        day, kind
            (B, S) int64, -1 after the last token.
        place, product
            (L,) int64: ``row * T + token`` of each line, and its row in ``e``.
        seen, cut
            (B, Q) int64: tokens that each question knows, and its day.
        """
        batch, tokens, d = day.shape[0], day.shape[1] + 1, self.shape.dimensions
        flat = e.new_zeros(batch * tokens, d).index_add(0, place, e[product])
        sizes = e.new_zeros(batch * tokens).index_add(0, place, e.new_ones(len(place)))
        bags = (flat / sizes.clamp(min=1.0).sqrt()[:, None]).view(batch, tokens, d)
        since = torch.zeros_like(day)
        since[:, 1:] = (day[:, 1:] - day[:, :-1]).clamp(min=0)
        first = e.new_zeros(batch, tokens, d)
        first[:, 0] = self.start
        first[:, 1:] = self.gap(_bucket(since)) + self.action(kind.clamp(min=0))
        x = self.norm(bags + first + self.place.weight[:tokens])
        is_padding = torch.cat([day.new_zeros(batch, 1, dtype=torch.bool), day < 0], dim=1)  # (B, T)
        h = self._encoded(x, is_padding)
        known = h.gather(1, seen[..., None].expand(*seen.shape, d))
        asked = known + self.until(_bucket(waited(day, seen, cut)))
        return h, asked, self._copied(asked, x, day, kind, is_padding, seen, cut)

    def _encoded(self, x: Tensor, is_padding: Tensor) -> Tensor:
        if self.shape.encoder != "transformer":
            states: Tensor = self.encoder(x)[0]
            return states
        read: Tensor = self.encoder(x, mask=_future(x), src_key_padding_mask=is_padding, is_causal=True)
        return read

    def _copied(
        self, asked: Tensor, x: Tensor, day: Tensor, kind: Tensor, is_padding: Tensor, seen: Tensor, cut: Tensor
    ) -> Tensor:
        token = torch.arange(x.shape[1], device=x.device)
        level = self.query(asked) @ self.key(x).transpose(1, 2) / self.shape.dimensions**0.5  # (B, Q, T)
        on = torch.cat([day[:, :1], day], dim=1)
        age = _bucket((cut[:, :, None] - on[:, None, :]).clamp(min=0))
        back = seen[..., None] - token
        of_kind = nn.functional.pad(self.copy_action(kind.clamp(min=0))[..., 0], (1, 0))  # (B, T)
        level = level + self.copy_age(age)[..., 0] + self.copy_back(back.clamp(min=0))[..., 0] + of_kind[:, None]
        level = level.masked_fill((back < 0) | is_padding[:, None, :], float("-inf"))
        return level.softmax(dim=2) * (token > 0)  # the start token's share is copied from nowhere

    def logits(self, taste: Tensor, product: Tensor, state: Tensor, shares: Tensor | None = None) -> Tensor:
        """Return logits of the shape of ``taste``.

        Parameters
        ----------
        taste
            (...) products w(h + b) . e.
        product, state
            (...) rows of the product table; (..., 2): n and g.
        shares
            (..., 1 + clocks): c and f; None: the customer never had these products.
        """
        popular: Tensor = self.log_odds(product)[..., 0]
        visits, more, gap = state[..., 0], state[..., 0].log1p(), state[..., 1].log1p()
        never = popular + self.never[0] * more + self.never[1] * popular + self.never[2] + self.never[3] * gap
        if shares is None:
            return taste + never
        held = shares[..., 1 + LONG_CLOCK] * visits
        p = ((held + popular.sigmoid()) / (visits + 1.0)).clamp(max=1 - 1e-4)
        start = torch.where(held > 0, torch.logit(p), never)
        x = torch.cat([torch.log1p(SHARPNESS * shares), torch.stack([more, gap, start], dim=-1)], dim=-1)
        return taste + start + self.correction(x)[..., 0] * (shares > 0).any(dim=-1)


def _encoder(shape: Shape) -> nn.Module:
    d, dropout = shape.dimensions, shape.dropout
    if shape.encoder == "transformer":
        layer = nn.TransformerEncoderLayer(d, shape.heads, 4 * d, dropout, batch_first=True, norm_first=True)
        return nn.TransformerEncoder(layer, shape.layers, nn.LayerNorm(d), enable_nested_tensor=False)
    kind = {"gru": nn.GRU, "lstm": nn.LSTM}[shape.encoder]
    return kind(d, d, shape.layers, batch_first=True, dropout=dropout if shape.layers > 1 else 0.0)


def _future(x: Tensor) -> Tensor:
    return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)


def waited(day: Tensor, seen: Tensor, cut: Tensor) -> Tensor:
    """Return (B, Q) days from the last known token to the cut, at least 1; 0 where nothing is known."""
    last = day.gather(1, (seen - 1).clamp(min=0))
    return (cut - last) * (seen > 0)


def _bucket(days: Tensor) -> Tensor:
    return torch.log2(days + 1.0).long().clamp(max=GAP_BUCKETS - 1)
