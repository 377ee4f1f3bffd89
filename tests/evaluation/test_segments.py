"""Segments: who belongs where, worked out by hand."""

from datetime import date, timedelta

import polars as pl

from ml.evaluation.segments import customer_segments, product_segments

CUT = date(2017, 7, 1)


def bought(customer: str, times: int, products: list[str], ends: date) -> pl.DataFrame:
    days = [ends - timedelta(days=back) for back in range(times)]
    rows = {"customer_id": [customer] * times, "basket_on": days, "product_ids": [products] * times}
    return pl.DataFrame(rows)


def test_customers_fall_into_bands_by_their_baskets_before_the_cut() -> None:
    counts = {"a": 1, "b": 2, "c": 5, "d": 6, "e": 15, "f": 16}
    baskets = pl.concat([bought(name, times, ["p"], CUT - timedelta(days=1)) for name, times in counts.items()])
    later = bought("a", 30, ["p"], CUT + timedelta(days=29))
    targets = pl.DataFrame({"customer_id": [*counts, "stranger"]}).with_columns(cut=pl.lit(CUT))
    found = dict(customer_segments(pl.concat([baskets, later]), targets, min_baskets=2).iter_rows())
    assert found == {
        "a": "new customers",
        "stranger": "new customers",
        "b": "customers with 2 to 5 baskets",
        "c": "customers with 2 to 5 baskets",
        "d": "customers with 6 to 15 baskets",
        "e": "customers with 6 to 15 baskets",
        "f": "customers with 16 baskets or more",
    }


def test_products_are_new_for_eight_weeks_and_small_departments_are_left_out() -> None:
    sold = pl.concat(
        [
            bought("x", 1, ["old", "d0", "d1", "d2", "d3"], CUT - timedelta(days=57)),
            bought("x", 1, ["young", "d0", "d1", "d2", "d3"], CUT - timedelta(days=56)),
            bought("x", 1, ["unborn"], CUT),
        ]
    )
    names = ["old", "young", "unborn", "d0", "d1", "d2", "d3"]
    shelves = ["rare", None, "rare", "D0", "D1", "D2", "D3"]
    products = pl.DataFrame({"product_id": names, "department": shelves})
    found = product_segments(sold, products, CUT).group_by("product_id").agg("segment")
    segments = {product: sorted(own) for product, own in found.iter_rows()}
    assert segments["old"] == ["warm products"], "its department sold least"
    assert segments["young"] == segments["unborn"] == ["new products"]
    assert segments["d0"] == ["department D0", "warm products"]
