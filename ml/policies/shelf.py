"""What can be offered, and the problem it makes for one customer under one policy."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.association.cooccurrence import CooccurrenceParams, shrunk_lift
from ml.association.symmetric import SymmetricPairs
from ml.optimizer.catalogue import Catalogue
from ml.optimizer.objective import dense_pairs, joint_purchase
from ml.optimizer.problem import UNLIMITED, BundleProblem, Limits
from ml.policies.named import Policy

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]

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
    first, second
        (pairs,) product codes of the pairs with evidence.
    association
        (pairs,) what the policy's objective gets.
    lift
        (pairs,) shrunk within-customer lift, for the joint probability whatever the policy.
    """

    product_ids: tuple[str, ...]
    price_cents: NDArray[np.int64]
    category: NDArray[np.int32]
    available_units: NDArray[np.int64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    association: Reals
    lift: Reals

    @classmethod
    def of(cls, products: pl.DataFrame, pairs: pl.DataFrame, params: CooccurrenceParams | None = None) -> "Shelf":
        """Return the shelf of the products that have a price.

        Parameters
        ----------
        products
            Rows of ``features.ftr_products``; those that :func:`offerable` refuses are left out.
        pairs
            Columns of ``ml.associations``: pairs with evidence; ``association`` is the policy's reading.
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
        own = pl.concat_str(pl.lit("\0"), pl.col("product_id"))  # no category is written like this
        return cls(
            tuple(kept["product_id"]),
            kept["price_cents"].to_numpy().astype(np.int64),
            (kept.select(pl.coalesce("category", own).rank("dense")).to_series().to_numpy() - 1).astype(np.int32),
            kept["available_units"].fill_null(UNLIMITED).to_numpy().astype(np.int64),
            known["code"].to_numpy().astype(np.int32),
            known["code_b"].to_numpy().astype(np.int32),
            association,
            lift,
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

    def codes(self, product_ids: pl.Series) -> Codes:
        """Return the code of each product, -1 for one that is not on the shelf."""
        return np.array([self.code.get(product, -1) for product in product_ids.to_list()], np.int64)

    def problem(self, policy: Policy, codes: Codes, preference: Reals, limits: Limits) -> BundleProblem:
        """Return the problem of one customer.

        Parameters
        ----------
        codes
            (n,) products of the candidates, all on the shelf.
        preference
            (n,) probability that the next basket holds each.
        """
        joint = dense_pairs(joint_purchase, preference, self._lifts.block(codes))
        is_ours = policy.objective is joint_purchase and policy.association == "lift"
        values = joint if is_ours else dense_pairs(policy.objective, preference, self._associations.block(codes))
        return BundleProblem(
            preference,
            values,
            joint,
            self.price_cents[codes],
            self.category[codes],
            self.available_units[codes],
            limits,
        )

    def catalogue_bound(self, policy: Policy, preference: Reals, limits: Limits, objective: float) -> float:
        """Return what no bundle of any products of the shelf exceeds, nor ``objective``.

        Parameters
        ----------
        preference
            (products,) probability that the next basket holds each product of the shelf.
        objective
            Value of the bundle in hand, 0 for an abstention.
        """
        catalogue = Catalogue(self.price_cents, self.category, self.available_units, self.first, self.second)
        left, right = preference[self.first], preference[self.second]
        values = policy.objective(left, right, self.association)
        return catalogue.bound(preference, values, joint_purchase(left, right, self.lift), limits, objective)


def offerable(products: pl.DataFrame) -> pl.DataFrame:
    """Return the products that can stand in a priced bundle: bundleable, with a price above 0."""
    return products.filter(pl.col("is_bundleable"), pl.col("price_cents") > 0)


def shortlist(scored: pl.DataFrame, per_customer: int) -> pl.DataFrame:
    """Return each customer's candidates for the optimizer: the likeliest, with places kept for the never bought.

    Parameters
    ----------
    scored
        ``customer_id``, ``product_id``, ``preference``, ``is_bought_before``, ``is_in_stock``.
    per_customer
        Candidates for each customer, where there are as many. ``UNBOUGHT_SHARE`` of them are the likeliest the
        customer never bought; what those do not fill goes to the next likeliest. What is not in stock comes last.

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
        .sort("customer_id", "is_in_stock", "is_reserved", "place", descending=[False, True, True, False])
        .filter(pl.int_range(pl.len()).over("customer_id") < per_customer)
        .sort("customer_id", "preference", "product_id", descending=[False, True, False])
        .with_columns(candidate_rank=pl.int_range(1, pl.len() + 1).over("customer_id").cast(pl.Int32))
        .drop("is_reserved", "place")
    )
