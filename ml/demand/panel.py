"""Products by calendar week, weeks without a sale among them: units, the price that stood, what was promoted."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

DISCOUNT = "discount"
"""Kind of a promotion that changes the price; all others only show the product."""
LISTS = ("promotion_kinds", "promotion_starts_on", "promotion_ends_on", "promotion_sizes")
COLUMNS = {
    "product_id": pl.String,
    "week_on": pl.Date,
    "units": pl.Int64,
    "price_cents": pl.Float64,
    "list_cents": pl.Float64,
    "shown_share": pl.Float64,
    "announced_share": pl.Float64,
    "is_price_known": pl.Boolean,
}


@dataclass(frozen=True)
class Announced:
    """Promotions by product and calendar week, as the shop delivers them.

    Attributes
    ----------
    weeks
        ``product_id``, ``week_on`` (a Monday), ``announced_share`` (mean discount over the week), ``shown_share``
        (share of the week on display or in the mailer).
    has_shown, has_discounts
        Whether any promotion of the shop shows products, and whether any says what it takes off the price.
    """

    weeks: pl.DataFrame
    has_shown: bool
    has_discounts: bool

    @classmethod
    def of(cls, products: pl.DataFrame, first: date, last: date) -> "Announced":
        """Return the promotions of the weeks from ``first`` to ``last``.

        Parameters
        ----------
        products
            Rows of ``features.ftr_products``; without its lists of promotions nothing is announced.
        """
        none = pl.DataFrame(
            schema={
                "product_id": pl.String,
                "week_on": pl.Date,
                "announced_share": pl.Float64,
                "shown_share": pl.Float64,
            }
        )
        if not set(LISTS) <= set(products.columns):
            return cls(none, has_shown=False, has_discounts=False)
        each = (
            products.select("product_id", *LISTS)
            .drop_nulls("promotion_kinds")
            .explode(*LISTS)
            .drop_nulls("promotion_starts_on")
            .with_columns(
                pl.col("promotion_starts_on").clip(first, last),
                pl.col("promotion_ends_on").fill_null(last).clip(first, last),
            )
            .filter(pl.col("promotion_ends_on") >= pl.col("promotion_starts_on"))
        )
        if each.is_empty():
            return cls(none, has_shown=False, has_discounts=False)
        is_discount = pl.col("promotion_kinds") == DISCOUNT
        daily = each.with_columns(
            day=pl.date_ranges("promotion_starts_on", "promotion_ends_on"), is_discount=is_discount
        ).explode("day")
        # Where two promotions take off the price of a day, the deeper one holds.
        by_day = daily.group_by("product_id", "day").agg(
            announced_share=pl.col("promotion_sizes")
            .filter(pl.col("is_discount"))
            .max()
            .fill_null(0.0)
            .clip(0.0, 0.95),
            shown_share=(~pl.col("is_discount")).any().cast(pl.Float64),
        )
        weeks = by_day.group_by("product_id", week_on=monday("day")).agg(
            pl.col("announced_share", "shown_share").sum() / 7
        )
        return cls(
            weeks, bool((~each.select(is_discount).to_series()).any()), bool(each.select(is_discount).to_series().any())
        )


def monday(column: str) -> pl.Expr:
    """Return the Monday of the week of a day."""
    return pl.col(column).dt.truncate("1w")


def weekly_panel(
    product_days: pl.DataFrame, products: pl.DataFrame, through: date, *, goes_on: bool = False
) -> pl.DataFrame:
    """Return one row a product and whole calendar week (Monday to Sunday) from its first sale to its last.

    The price of a week with sales is what was paid for a unit. The price of a week without any is the last known list
    price, less the discounts announced for that week, times what the product's buyers usually pay of the announced
    price (the median over its weeks with sales). ``is_price_known`` is false where that is a guess: no sale, and a shop
    that announces no discounts.

    Parameters
    ----------
    product_days
        ``product_id``, ``sold_on``, ``units``, ``revenue_cents``, ``price_cents`` (of the list), ``is_promoted``.
    products
        ``product_id`` and, where the shop has promotions, their lists as in ``features.ftr_products``.
    through
        Last day that may be used.
    goes_on
        Whether a product's weeks go on after its last sale, to the last whole week.

    Returns
    -------
    pl.DataFrame
        Columns of ``COLUMNS``, by product and week. ``shown_share`` is the share of the week in which the product was
        shown (display, mailer); where no such promotions are delivered, the share of its days of sale flagged promoted.
    """
    sold = product_days.filter(pl.col("sold_on") <= through, pl.col("units") > 0, pl.col("revenue_cents") > 0)
    first, last = _whole_weeks(sold, through)
    sold = sold.with_columns(week_on=monday("sold_on")).filter(pl.col("week_on").is_between(first, last))
    if sold.is_empty():
        return pl.DataFrame(schema=COLUMNS)
    cells = sold.group_by("product_id", "week_on").agg(
        units=pl.col("units").sum(),
        paid_cents=pl.col("revenue_cents").sum() / pl.col("units").sum(),
        list_cents=(pl.col("price_cents") * pl.col("units")).sum() / pl.col("units").sum(),
        flagged_share=pl.col("is_promoted").cast(pl.Float64).mean(),
    )
    end = pl.lit(last) if goes_on else pl.col("week_on").max()
    spans = cells.group_by("product_id").agg(week_on=pl.date_ranges(pl.col("week_on").min(), end, "1w").explode())
    announced = Announced.of(products, first, last + timedelta(days=6))
    panel = (
        spans.explode("week_on")
        .join(cells, on=["product_id", "week_on"], how="left")
        .join(announced.weeks, on=["product_id", "week_on"], how="left")
        .sort("product_id", "week_on")
        .with_columns(
            pl.col("units").fill_null(0),
            pl.col("announced_share").fill_null(0.0),
            list_cents=pl.col("list_cents").forward_fill().over("product_id"),
            is_price_known=pl.col("paid_cents").is_not_null() | announced.has_discounts,
        )
    )
    offered = pl.col("list_cents") * (1 - pl.col("announced_share"))
    usual = (pl.col("paid_cents") / offered).median().over("product_id")
    shown = pl.col("shown_share").fill_null(0.0) if announced.has_shown else pl.col("flagged_share").fill_null(0.0)
    return panel.with_columns(price_cents=pl.coalesce("paid_cents", offered * usual), shown_share=shown).select(
        pl.col(name).cast(kind) for name, kind in COLUMNS.items()
    )


def _whole_weeks(sold: pl.DataFrame, through: date) -> tuple[date, date]:
    """Return the Mondays of the first and the last week that the data hold whole."""
    begin = sold["sold_on"].min()
    first = begin if isinstance(begin, date) else through
    first += timedelta(days=-first.weekday() % 7)
    after = through + timedelta(days=1)
    return first, after - timedelta(days=after.weekday() + 7)
