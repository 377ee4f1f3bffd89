"""The discount of a bundle on its components, exact to the cent, and what is refunded when one comes back."""

from collections.abc import Collection, Sequence

from ml.errors import DataError


def split_discount(list_prices: Sequence[int], bundle_price: int) -> list[int]:
    """Return what is paid for each component: its share of the bundle price by list price, to the cent.

    By largest remainder: the sum is the bundle price, each component is paid with 1 cent to its list price and within a
    cent of its exact share (where no share is below a cent), and a dearer one never costs less than a cheaper one. Of
    equal remainders the earlier component gets the cent.

    Parameters
    ----------
    list_prices
        Cents, > 0 each.
    bundle_price
        Cents, from one for each component to the sum of the list prices.

    Raises
    ------
    DataError
        When a price is out of that range.

    Source
    ------
    Hamilton's method; Balinski and Young (1982), Fair representation: it keeps within the quota. (It is not monotone
    in the bundle price: no method that keeps within the quota by such simple means is, and none is asked for, since a
    bundle has one price.)
    """
    parts, total = len(list_prices), sum(list_prices)
    if not parts or min(list_prices) < 1:
        raise DataError(f"list prices {list(list_prices)}: each must be at least 1 cent")
    if not parts <= bundle_price <= total:
        raise DataError(f"bundle price {bundle_price}: must lie within {parts} and {total} cents")
    paid = [0] * parts
    left, money = list(range(parts)), bundle_price
    # A share below a cent is rounded up to it, and the rest is shared out among the others.
    while tiny := [k for k in left if list_prices[k] * money < sum(list_prices[j] for j in left)]:
        for k in tiny:
            paid[k] = 1
        left, money = [k for k in left if k not in tiny], money - len(tiny)
    whole = sum(list_prices[k] for k in left)
    for k in left:
        paid[k] = list_prices[k] * money // whole
    spare = bundle_price - sum(paid)
    for k in sorted(left, key=lambda k: (-(list_prices[k] * money % whole), k))[:spare]:
        paid[k] += 1
    return paid


def refund(paid: Sequence[int], returned: int, before: Collection[int] = ()) -> int:
    """Return the cents that are paid back when component ``returned`` comes back: just what was paid for it.

    Whatever is returned in whatever order, all refunds together are never more than the bundle price, and equal to it
    once everything is back.

    Parameters
    ----------
    paid
        From :func:`split_discount`.
    returned, before
        Position of the component, and of those that came back before.

    Raises
    ------
    DataError
        When there is no such component, or it came back before.
    """
    if not 0 <= returned < len(paid):
        raise DataError(f"component {returned}: the bundle has {len(paid)}")
    if returned in before:
        raise DataError(f"component {returned}: it came back before")
    return paid[returned]
