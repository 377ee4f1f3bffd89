"""The catalogue, fourth part: times (58 to 69)."""

from datetime import UTC, datetime, timedelta

from tests.bad_inputs.records import order, promotion, review, taken, wrong

BERLIN = {"time_zone": "Europe/Berlin"}
LIMIT = {"late_limit_days": 60}


def ahead(minutes: int) -> str:
    """Return an instant that lies ahead of the clock."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


TIMES = [
    *[
        wrong(58, day, "orders", order(f"{day}T00:00:00Z"), "time_range", "ordered_at")
        for day in ("1970-01-01", "0001-01-01", "9999-12-31")
    ],
    wrong(59, "an hour ahead", "orders", order(ahead(60)), "future", "ordered_at"),
    taken(59, "a minute ahead", "orders", order(ahead(1)), lands={"order_id": "b1"}),
    wrong(60, "infinity", "orders", order("infinity"), "instant_format", "ordered_at"),
    taken(
        61,
        "no zone",
        "orders",
        order("2017-11-01 10:00:00"),
        lands={"ordered_at": "2017-11-01 10:00:00+00"},
        instead="the contract declares one, UTC",
    ),
    taken(
        61,
        "no zone, of a shop in Berlin",
        "orders",
        order("2017-11-01 10:00:00"),
        settings=BERLIN,
        lands={"ordered_at": "2017-11-01 09:00:00+00"},
    ),
    wrong(
        61,
        "no zone, where one is needed",
        "orders",
        order("2017-11-01 10:00:00"),
        "tz_missing",
        "ordered_at",
        settings={"time_zone": "required"},
    ),
    wrong(
        62,
        "an hour that the clocks leave out",
        "orders",
        order("2017-03-26 02:30:00"),
        "tz_gap",
        "ordered_at",
        settings=BERLIN,
    ),
    wrong(
        62,
        "an hour that the clocks show twice",
        "orders",
        order("2017-10-29 02:30:00"),
        "tz_ambiguous",
        "ordered_at",
        settings=BERLIN,
    ),
    taken(
        62,
        "the same hour with its offset",
        "orders",
        order("2017-10-29T02:30:00+01:00"),
        settings=BERLIN,
        lands={"ordered_at": "2017-10-29 01:30:00+00"},
    ),
    taken(
        63,
        "a leap second",
        "orders",
        order("2016-12-31T23:59:60Z"),
        "N",
        lands={"ordered_at": "2017-01-01 00:00:00+00"},
        notes={"leap_second:ordered_at": 1},
    ),
    *[
        wrong(64, f"seconds since 1970 as {text}", "orders", order(text), "instant_format", "ordered_at")
        for text in ("1512295200", "1512295200000", "1512295200000000")
    ],
    wrong(65, "03/04/2026", "orders", order("03/04/2026"), "instant_format", "ordered_at"),
    wrong(66, "29 February of a common year", "orders", order("2017-02-29T10:00:00Z"), "instant_format", "ordered_at"),
    taken(66, "24:00:00", "orders", order("2017-02-28T24:00:00Z"), "N", lands={"ordered_at": "2017-03-01 00:00:00+00"}),
    wrong(
        67,
        "a promotion that ends before it starts",
        "promotions",
        [promotion(ends_on="2017-10-31")],
        "period_reversed",
        "ends_on",
    ),
    taken(
        67,
        "overlapping promotions",
        "promotions",
        [promotion(), promotion("b2", starts_on="2017-11-05")],
        lands={"promotion_id": "b2"},
    ),
    taken(
        67,
        "a promotion of one day",
        "promotions",
        [promotion(ends_on="2017-11-01")],
        lands={"promotion_id": "b1"},
        instead="both days are inclusive: it lasts a day",
    ),
    taken(
        68,
        "a review before the product was launched",
        "reviews",
        review(reviewed_at="1999-01-01"),
        lands={"review_id": "b1"},
    ),
    taken(
        69,
        "events out of order",
        "orders",
        [*order("2017-11-09"), {"order_id": "b2", "ordered_at": "2017-11-08"}],
        lands={"order_id": "b2"},
    ),
    taken(69, "7 days late", "orders", order("2017-11-26"), settings=LIMIT, lands={"order_id": "b1"}),
    wrong(
        69, "400 days late, where 60 are taken", "orders", order("2016-10-29"), "too_late", "ordered_at", settings=LIMIT
    ),
    taken(
        69,
        "400 days late",
        "orders",
        order("2016-10-29"),
        lands={"order_id": "b1"},
        instead="without the setting, a fact is taken however late",
    ),
]
