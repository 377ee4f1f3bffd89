"""Weekly units of many products by Poisson quasi-likelihood, each with its own response to prices and displays."""

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]

CLUSTER_WEEKS = 4
"""Weeks whose errors may hang together, such as a campaign."""
ROUNDS = 40
PENALTY = np.array([1e-6, 1 / 5.0**2, 1 / 0.5**2])
"""Weak pulls, as one over the variance of a normal prior: of the constant (to where it is, so that the matrix stays
regular), the response to the price (to 0) and that to being shown (to that of the shop)."""
PRICE, SHOWN = 1, 2


def price_coefficients(units: Reals, price: Reals, shown: Reals, product: Codes, week: Codes) -> tuple[Reals, Reals]:
    """Return each product's response to its price and its cluster-robust variance, (products,) each.

    log mean = product + week of the shop + b log price + d shown. (A coefficient of its own for changes of the list
    price foretold offers a little worse, on Complete Journey and on the simulated shop, so there is none.)

    Parameters
    ----------
    units, price, shown
        (rows,) units of a product-week, log price around the product's usual one, share of the week it was shown.
    product, week
        (rows,) codes, 0 to n - 1.
    """
    products, weeks = int(product.max()) + 1, int(week.max()) + 1
    columns = np.stack([np.ones_like(units), price, shown])
    mean = np.bincount(product, units, products) / np.bincount(product, minlength=products)
    beta = np.zeros((len(columns), products))
    beta[0] = np.log(np.maximum(mean, 1e-3))
    of_week, of_shown = np.zeros(weeks), 0.0
    for _ in range(ROUNDS):
        expected = _expected(beta, columns, product, of_week[week])
        centre = np.stack([beta[0], *np.zeros((len(columns) - 1, products))])
        centre[SHOWN] = of_shown
        score = _by_product(columns * (units - expected), product, products) - PENALTY[:, None] * (beta - centre)
        step = np.linalg.solve(_information(columns, expected, product, products), score.T[:, :, None])
        beta = beta + step[:, :, 0].T.clip(-1.0, 1.0)
        expected = _expected(beta, columns, product, of_week[week])
        now = np.log(np.bincount(week, units, weeks) + 0.5) - np.log(np.bincount(week, expected, weeks) + 0.5)
        of_week = of_week + now - now.mean()
        of_shown = float(np.average(beta[SHOWN], weights=np.bincount(product, expected * shown, products) + 1e-9))
    expected = _expected(beta, columns, product, of_week[week])
    bread = np.linalg.inv(_information(columns, expected, product, products))
    robust = _robust(np.asarray(columns * (units - expected), np.float64), np.asarray(bread, np.float64), product, week)
    # Few clusters understate what they vary by; counts vary at least as Poisson's do.
    return beta[PRICE], np.maximum(robust, bread[:, PRICE, PRICE])


def _robust(residual: Reals, bread: Reals, product: Codes, week: Codes) -> Reals:
    """Return (products,) the sandwich variance of the price coefficient, summed over weeks that hang together."""
    blocks = int(week.max()) // CLUSTER_WEEKS + 1
    names, cluster = np.unique(product * blocks + week // CLUSTER_WEEKS, return_inverse=True)
    sums = np.stack([np.bincount(cluster, row, len(names)) for row in residual])
    meat = np.zeros_like(bread)
    owner = names // blocks
    np.add.at(meat, owner, np.einsum("ic,jc->cij", sums, sums))
    clusters = np.bincount(owner, minlength=len(bread))
    return np.asarray((bread @ meat @ bread)[:, PRICE, PRICE] * clusters / np.maximum(clusters - 1, 1))


def _expected(beta: Reals, columns: Reals, product: Codes, offset: Reals) -> Reals:
    return np.exp(np.clip((beta[:, product] * columns).sum(axis=0) + offset, -20.0, 20.0))


def _by_product(rows: Reals, product: Codes, products: int) -> Reals:
    return np.stack([np.bincount(product, row, products) for row in rows])


def _information(columns: Reals, expected: Reals, product: Codes, products: int) -> Reals:
    """Return the (products, k, k) information of each product's coefficients."""
    size = len(columns)
    found = np.empty((products, size, size))
    for i in range(size):
        for j in range(i, size):
            found[:, i, j] = found[:, j, i] = np.bincount(product, columns[i] * columns[j] * expected, products)
    return np.asarray(found + np.diag(PENALTY))
