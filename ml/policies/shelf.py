"""What can be offered, and the problem it makes for one customer under one policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.association.cooccurrence import CooccurrenceParams, shrunk_lift
from ml.association.symmetric import SymmetricPairs
from ml.errors import DataError
from ml.optimizer.catalogue import Catalogue
from ml.optimizer.limits import Limits
from ml.optimizer.market import Market
from ml.optimizer.objective import Objective, dense_pairs, pair_values
from ml.optimizer.problem import UNLIMITED, BundleProblem
from ml.optimizer.rules import UNKNOWN_MARGIN
from ml.policies.basket import Basket
from ml.policies.named import Policy
from ml.policies.roles import Roles

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNBOUGHT_SHARE = 50 / 140
"""Of the candidates, places for products the customer never bought: 50 of 140 won on Complete Journey."""


@dataclass(frozen=True)
class Shelf:
    """The products that can be offered, as arrays, and what their pairs are worth under one policy.

    Attributes
    ----------
    product_ids
        Identifier of each product code.
    price_cents, category, available_units
        (products,), as in :class:`ml.optimizer.problem.BundleProblem`; products without a category share it with
        nobody.
    margin_cents
        (products,) ``UNKNOWN_MARGIN`` where the cost is not known.
    first, second
        (pairs,) product codes of the pairs with evidence.
    association
        (pairs,) what the policy's objective gets.
    lift
        (pairs,) shrunk within-customer lift, for the joint probability whatever the policy.
    is_substitute
        (pairs,) whether the two were told to be substitutes, or are bought together less than chance would have it: the
        whole interval of their lift lies below 1. Where nothing was expected there is no such interval.
    """

    product_ids: tuple[str, ...]
    price_cents: NDArray[np.int64]
    margin_cents: NDArray[np.int64]
    category: NDArray[np.int32]
    available_units: NDArray[np.int64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    association: Reals
    lift: Reals
    is_substitute: Flags

    @classmethod
    def of(cls, products: pl.DataFrame, pairs: pl.DataFrame, params: CooccurrenceParams | None = None) -> "Shelf":
        """Return the shelf of the products that have a price.

        Parameters
        ----------
        products
            Rows of ``features.ftr_products``; those that :func:`offerable` refuses are left out.
        pairs
            Columns of ``ml.associations``: pairs with evidence; ``association`` is the policy's reading. Without
            ``relation``, as in a backtest, only the intervals tell substitutes.
        params
            How the pairs were counted; None where ``association`` is the shrunk lift itself.
        """
        kept = offerable(products).sort("product_id")
        codes = kept.select("product_id").with_row_index("code")
        known = pairs.join(codes, left_on="product_a", right_on="product_id").join(
            codes, left_on="product_b", right_on="product_id", suffix="_b"
        )
        association = known["association"].to_numpy()
        counts, expected = known["pair_baskets"].to_numpy(), known["expected_baskets"].to_numpy()
        lift = association if params is None else shrunk_lift(counts, expected, params)
        told = known["relation"] == "substitute" if "relation" in known.columns else False
        own = pl.concat_str(pl.lit("\0"), pl.col("product_id"))  # no category is written like this
        return cls(
            tuple(kept["product_id"]),
            kept["price_cents"].to_numpy().astype(np.int64),
            kept["margin_cents"].cast(pl.Int64).fill_null(UNKNOWN_MARGIN).to_numpy(),
            (kept.select(pl.coalesce("category", own).rank("dense")).to_series().to_numpy() - 1).astype(np.int32),
            kept["available_units"].fill_null(UNLIMITED).to_numpy().astype(np.int64),
            known["code"].to_numpy().astype(np.int32),
            known["code_b"].to_numpy().astype(np.int32),
            association,
            lift,
            ((expected > 0) & (known["lift_high"].to_numpy() < 1.0)) | np.asarray(told),
        )

    @cached_property
    def code(self) -> dict[str, int]:
        """Return the code of each product."""
        return {product: code for code, product in enumerate(self.product_ids)}

    @cached_property
    def _associations(self) -> SymmetricPairs:
        return SymmetricPairs.of(self.first, self.second, self.association, len(self.product_ids))

    @cached_property
    def _lifts(self) -> SymmetricPairs:
        return SymmetricPairs.of(self.first, self.second, self.lift, len(self.product_ids))

    @cached_property
    def _substitutes(self) -> SymmetricPairs:
        return SymmetricPairs.of(self.first, self.second, self.is_substitute.astype(float), len(self.product_ids))

    def codes(self, product_ids: pl.Series) -> Codes:
        """Return the code of each product, -1 for one that is not on the shelf."""
        return np.array([self.code.get(product, -1) for product in product_ids.to_list()], np.int64)

    def roles(self, must_include: Sequence[str], pinned: Sequence[str], exclude: Sequence[str]) -> Roles:
        """Return what a form asks of products.

        Raises
        ------
        DataError
            When a product is not on the shelf: unknown, without a price, not bundleable or sold too rarely.
        """
        unknown = sorted({*must_include, *pinned, *exclude} - set(self.code))
        if unknown:
            raise DataError(
                f"must_include, pinned, exclude: not offered by the shop: {', '.join(unknown)}; see dim_products"
            )
        return Roles.of(self.code, must_include, pinned, exclude)

    def basket(self, product_ids: Sequence[str]) -> Basket:
        """Return how a basket that holds these products weighs on each product; those not on the shelf do not."""
        inside = np.array(sorted(self.code[product] for product in product_ids if product in self.code), np.int64)
        beside = [self._associations.summed(inside[[row]]) for row in range(len(inside))]
        every = len(self.product_ids)
        return Basket(
            np.array(beside).reshape(len(inside), every),
            np.isin(np.arange(every), inside),
            self._substitutes.summed(inside) > 0,
            self.margin_cents,
        )

    def problem(
        self,
        policy: Policy,
        codes: Codes,
        preference: Reals,
        limits: Limits,
        roles: Roles | None = None,
        is_anchor: Flags | None = None,
        spread: float = 1.0,
        basket: Basket | None = None,
    ) -> BundleProblem:
        """Return the problem of one customer.

        Parameters
        ----------
        codes
            (n,) products of the candidates, all on the shelf.
        preference
            (n,) probability that the next basket holds each.
        roles
            What the form says of products; nothing when None.
        is_anchor
            (n,) which candidates may serve as the anchor: what the customer bought before.
        spread
            v of :mod:`ml.optimizer.objective`.
        basket
            What is in the basket already; nothing when None.
        """
        lifts, margin = self._lifts.block(codes), self.margin_cents[codes]
        joint = dense_pairs(Objective.EXPECTED_JOINT_PURCHASE, preference, lifts, spread=spread)
        is_ours = policy.objective == Objective.EXPECTED_JOINT_PURCHASE and policy.association == "lift"
        values = (
            joint
            if is_ours
            else dense_pairs(policy.objective, preference, self._associations.block(codes), margin, spread)
        )
        return BundleProblem(
            preference,
            values,
            joint,
            self.price_cents[codes],
            self.category[codes],
            self.available_units[codes],
            limits,
            margin_cents=margin,
            product=codes,
            is_anchor=is_anchor,
            product_values=None if basket is None else basket.values(policy.objective, codes, preference, spread),
            is_new=None if is_anchor is None else ~is_anchor,
            is_wanted=None if roles is None else roles.is_wanted[codes],
            is_ruled=None if roles is None else roles.is_ruled[codes],
            is_pinned=None if roles is None else roles.is_pinned[codes],
            is_excluded=None if roles is None else roles.is_excluded[codes],
            is_substitute=self._substitutes.block(codes) > 0 if limits.complements_only else None,
        )

    def market(self, policy: Policy, limits: Limits) -> Market:
        """Return the shop as arrays for the stock-coupled assignment."""
        rows, columns = np.concatenate([self.first, self.second]), np.concatenate([self.second, self.first])
        order = np.lexsort((columns, rows))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(rows, minlength=len(self.product_ids)))])
        return Market(
            self.price_cents,
            self.margin_cents,
            self.category,
            starts,
            columns[order].astype(np.int32),
            np.tile(self.association, 2)[order],
            np.tile(self.lift, 2)[order],
            np.tile(self.is_substitute, 2)[order],
            int(policy.objective),
            limits.cost_per_product,
            limits.rules(),
        )

    def catalogue_bound(
        self,
        policy: Policy,
        preference: Reals,
        spread: float,
        limits: Limits,
        objective: float,
        basket: Basket | None = None,
    ) -> float:
        """Return what no bundle of any products of the shelf exceeds, nor ``objective``.

        Parameters
        ----------
        preference
            (products,) probability that the next basket holds each product of the shelf.
        spread
            v of :mod:`ml.optimizer.objective`.
        objective
            Value of the bundle in hand, 0 for an abstention.
        basket
            What is in the basket already; nothing when None.
        """
        catalogue = Catalogue(
            self.price_cents, self.category, self.available_units, self.first, self.second, self.is_substitute
        )
        left, right = preference[self.first], preference[self.second]
        known = np.where(self.margin_cents == UNKNOWN_MARGIN, -np.inf, self.margin_cents.astype(float))
        margin = known[self.first] + known[self.second]
        values = pair_values(policy.objective, left, right, self.association, margin, spread)
        joint = pair_values(Objective.EXPECTED_JOINT_PURCHASE, left, right, self.lift, margin, spread)
        every = np.arange(len(self.product_ids))
        own = None if basket is None else basket.values(policy.objective, every, preference, spread)
        return catalogue.bound(preference, values, joint, limits, objective, own)


def offerable(products: pl.DataFrame) -> pl.DataFrame:
    """Return the products that can stand in a priced bundle: bundleable, with a price above 0."""
    return products.filter(pl.col("is_bundleable"), pl.col("price_cents") > 0)


def shortlist(scored: pl.DataFrame, per_customer: int) -> pl.DataFrame:
    """Return each customer's candidates for the optimizer: the likeliest, with places kept for the never bought.

    Parameters
    ----------
    scored
        ``customer_id``, ``product_id``, ``preference``, ``is_bought_before``, ``is_in_stock``, ``is_asked``.
    per_customer
        Candidates for each customer, where there are as many. ``UNBOUGHT_SHARE`` of them are the likeliest the
        customer never bought; what those do not fill goes to the next likeliest. What is not in stock comes last;
        what was asked for (``is_asked``) first.

    Returns
    -------
    The rows that were kept with ``candidate_rank`` (1 = highest preference), ordered by customer and rank.
    """
    unbought = round(per_customer * UNBOUGHT_SHARE)
    best_first = scored.sort(
        "customer_id", "is_in_stock", "preference", "product_id", descending=[False, True, True, False]
    )
    is_kept_place = ~pl.col("is_bought_before") & (
        (~pl.col("is_bought_before")).cum_sum().over("customer_id") <= unbought
    )
    return (
        best_first.with_columns(is_reserved=is_kept_place, place=pl.int_range(pl.len()).over("customer_id"))
        .sort("customer_id", "is_asked", "is_in_stock", "is_reserved", "place", descending=[False, *[True] * 3, False])
        .filter(pl.int_range(pl.len()).over("customer_id") < per_customer)
        .sort("customer_id", "preference", "product_id", descending=[False, True, False])
        .with_columns(candidate_rank=pl.int_range(1, pl.len() + 1).over("customer_id").cast(pl.Int32))
        .drop("is_reserved", "place")
    )
