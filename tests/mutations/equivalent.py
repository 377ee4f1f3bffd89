"""Flips that change the words of a model and nothing that it can ever say, each with the reason."""

from tests.mutations.flips import Flip

INNER, LEFT = "inner join", "left join"
KEYS_OF_DISTINCT = "distinct on keeps one row of each key, in whatever order the keys come"
A_BASKET_IS_A_DAY = "a basket is a customer's day, or one order of nobody known, so it has one customer and one day"
NO_LINE_OF_NO_UNITS = "raw.order_items refuses a quantity of 0 by a check"
IN_A_TOTAL_ORDER = "the key that ends the order leaves no ties"
WHERE_DROPS_IT = "a where, or a join that follows, drops the rows that the left join keeps"
ALWAYS_FOUND = "both sides come from the same rows, so every row finds its other half"
NOTHING_TWICE = "the rows of both halves are keyed, and the halves differ in a column"
ONLY_SAVES_WORK = "it only saves work: what it lets through changes no result"

EQUIVALENT: list[tuple[str, str, str, str, str]] = [
    ("fct_bundles", "shown", "left join lateral (", INNER, "an aggregate without groups always gives one row"),
    ("fct_capped_evidence", "together", "union all", "union", NOTHING_TWICE),
    ("fct_care_alerts", "told", "union all", "union", NOTHING_TWICE),
    ("fct_quarantine", "replayed", "numbered.record_id asc,", "desc", KEYS_OF_DISTINCT),
    (
        "ftr_baskets",
        "numbered",
        "then row_number() over (partition by customer_id order by basket_on)::int",
        "rank",
        A_BASKET_IS_A_DAY,
    ),
    (
        "ftr_customer_products",
        "related",
        "inner join customer_baskets on counted.customer_id = customer_baskets.customer_id",
        LEFT,
        ALWAYS_FOUND,
    ),
    ("ftr_customers", "baskets", "min(basket_on) as basket_on,", "max", A_BASKET_IS_A_DAY),
    (
        "ftr_product_pairs",
        "frequent_products",
        'row_number() over (order by opened.product_id collate "C")::int as product_number -- noqa: RF03',
        "rank",
        IN_A_TOTAL_ORDER,
    ),
    (
        "ftr_product_pairs",
        "entries",
        "inner join frequent_products on opened.product_id = frequent_products.product_id",
        LEFT,
        WHERE_DROPS_IT,
    ),
    ("ftr_product_pairs", "counted_by_customer", "inner join entries as entries_b", LEFT, WHERE_DROPS_IT),
    (
        "ftr_product_pairs",
        "named",
        "inner join frequent_products as products_a on counted.number_a = products_a.product_number",
        LEFT,
        ALWAYS_FOUND,
    ),
    (
        "ftr_product_pairs",
        "named",
        "inner join frequent_products as products_b on counted.number_b = products_b.product_number",
        LEFT,
        ALWAYS_FOUND,
    ),
    (
        "ftr_products",
        "category_trends",
        "inner join prices on basket_products.product_id = prices.product_id",
        LEFT,
        WHERE_DROPS_IT,
    ),
    (
        "ftr_products",
        "stock_counts",
        "order by product_id asc, warehouse_id asc, counted_at desc",
        "desc",
        KEYS_OF_DISTINCT,
    ),
    ("ftr_products", "shown", "inner join prices on promotions.product_id = prices.product_id", LEFT, WHERE_DROPS_IT),
    (
        "ftr_stock_outs",
        "evenings",
        "order by product_id asc, warehouse_id asc, counted_on asc, counted_at desc",
        "desc",
        KEYS_OF_DISTINCT,
    ),
    ("int_basket_products_netted", "bought", "min(lines.customer_id) as customer_id,", "max", A_BASKET_IS_A_DAY),
    ("int_basket_products_netted", "bought", "min(lines.ordered_on) as basket_on,", "max", A_BASKET_IS_A_DAY),
    (
        "int_bundle_buyers_compared",
        "measured_days",
        "select distinct as_of",
        "",
        "it is only asked whether there is one",
    ),
    ("int_bundle_buyers_compared", "buyers", "union all", "union", NOTHING_TWICE),
    ("int_bundle_buyers_compared", "repeats", "inner join shopping_days", LEFT, ALWAYS_FOUND),
    (
        "int_bundle_buyers_compared",
        "reviews",
        "inner join bought on reviews.customer_id = bought.customer_id and reviews.product_id = bought.product_id",
        LEFT,
        WHERE_DROPS_IT,
    ),
    ("int_bundle_buyers_compared", "reviews", "reviews.review_id asc,", "desc", KEYS_OF_DISTINCT),
    (
        "int_bundle_buyers_compared",
        "reviews",
        "bought.line_number desc",
        "asc",
        "of two lines of a product in one order one is credited and goes first, or else both are of one group",
    ),
    ("int_bundle_buyers_compared", "compared", "inner join judged_lines", LEFT, ALWAYS_FOUND),
    (
        "int_bundle_weeks_counted",
        "steps",
        "select distinct",
        "",
        "an order told twice is still bought once, for it only sets a flag",
    ),
    (
        "int_bundle_weeks_counted",
        "timed",
        "where showing > 0",
        ">=",
        "what precedes the first showing has no impression, so no week, and meets no key",
    ),
    *(
        (
            "int_bundle_weeks_counted",
            "showings",
            f"min({name}) filter (where kind = 'impression') as {name},",
            "max",
            "a showing has one impression",
        )
        for name in ("week", "scenario", "policy")
    ),
    (
        "int_events_counted",
        "placed",
        "row_number() over (partition by customer_id, occurred_on order by occurred_at, event_id) as place_in_day",
        "rank",
        IN_A_TOTAL_ORDER,
    ),
    (
        "int_feedback_resolved",
        "matched",
        "inner join offers on feedback.bundle_id = offers.bundle_id",
        LEFT,
        WHERE_DROPS_IT,
    ),
    ("int_feedback_resolved", "matched", "feedback.feedback_id asc,", "desc", KEYS_OF_DISTINCT),
    (
        "int_order_lines_credited",
        "reactions",
        "inner join orders on feedback.order_id = orders.order_id",
        LEFT,
        "a reaction without an order meets no line",
    ),
    (
        "int_order_lines_credited",
        "reactions",
        "inner join orders on feedback.customer_id = orders.customer_id",
        LEFT,
        WHERE_DROPS_IT,
    ),
    ("int_order_lines_credited", "reactions", "union all", "union", NOTHING_TWICE),
    (
        "int_order_lines_credited",
        "touches",
        "inner join feedback on reactions.feedback_id = feedback.feedback_id",
        LEFT,
        ALWAYS_FOUND,
    ),
    ("int_order_lines_credited", "touches", "reactions.order_id asc,", "desc", KEYS_OF_DISTINCT),
    ("int_order_lines_credited", "touches", "feedback.bundle_id asc,", "desc", KEYS_OF_DISTINCT),
    (
        "int_order_lines_credited",
        "baskets",
        "inner join touches on lines.order_id = touches.order_id",
        LEFT,
        ONLY_SAVES_WORK,
    ),
    (
        "int_order_lines_credited",
        "lines",
        "inner join baskets on lines.basket_id = baskets.basket_id",
        LEFT,
        ONLY_SAVES_WORK,
    ),
    (
        "int_order_lines_credited",
        "lines",
        "inner join orders on lines.order_id = orders.order_id",
        LEFT,
        A_BASKET_IS_A_DAY,
    ),
    ("int_order_lines_credited", "lines", "where lines.quantity_units > 0", ">=", NO_LINE_OF_NO_UNITS),
    ("int_order_lines_credited", "credits", "order_id asc,", "desc", KEYS_OF_DISTINCT),
    ("int_order_lines_credited", "credits", "product_id asc,", "desc", KEYS_OF_DISTINCT),
    (
        "int_order_lines_credited",
        "bundle_returns",
        "inner join split on feedback.bundle_id = split.bundle_id",
        LEFT,
        WHERE_DROPS_IT,
    ),
    (
        "int_order_lines_credited",
        "bundle_returns",
        "order by feedback.feedback_id asc, split.ordered_at desc, split.order_id desc",
        "desc",
        KEYS_OF_DISTINCT,
    ),
    *(
        (
            "int_products_priced",
            step,
            "inner join unpriced on lines.product_id = unpriced.product_id",
            LEFT,
            "the catalogue's own price goes before what the sales of its product say",
        )
        for step in ("recent_prices", "older_lines")
    ),
    *(
        ("int_products_priced", step, "and lines.quantity_units > 0", ">=", NO_LINE_OF_NO_UNITS)
        for step in ("recent_prices", "older_lines")
    ),
    (
        "int_products_priced",
        "older_lines",
        "lines.ordered_on <= {{ as_of() }}",
        "<",
        "a product that sold on the as-of day has a recent price and needs no older one",
    ),
    (
        "int_products_priced",
        "matched",
        "select distinct",
        "",
        "the rows are grouped for a minimum, which twins leave as it is",
    ),
    (
        "int_products_priced",
        "matched",
        "inner join rules on known.match_field = rules.match_field and known.match_value like rules.match_value",
        LEFT,
        "no rule gives no reason, as if nothing had been matched",
    ),
    (
        "int_products_priced",
        "listed",
        "inner join matched on facts.match_field = matched.match_field and facts.match_value = matched.match_value",
        LEFT,
        "no rule gives no reason, as if nothing had been listed",
    ),
    (
        "int_returns_matched",
        "returned",
        "where ordered_on <= {{ as_of() }} and quantity_units < 0",
        "or",
        ONLY_SAVES_WORK,
    ),
    (
        "int_returns_matched",
        "returned",
        "where ordered_on <= {{ as_of() }} and quantity_units < 0",
        "<=",
        ONLY_SAVES_WORK,
    ),
    (
        "int_returns_matched",
        "days",
        "inner join returned on lines.buyer_id = returned.buyer_id and lines.product_id = returned.product_id",
        LEFT,
        ONLY_SAVES_WORK,
    ),
    (
        "int_returns_matched",
        "held",
        "net_so_far_units - least(",
        "+",
        "both shift what is held by the lowest sum so far: where that falls later nothing is kept either way, "
        "and where it does not the shift is the same before and after",
    ),
    (
        "int_reviews_counted",
        "purchases",
        "where customer_id is not null and quantity_units > 0",
        ">=",
        NO_LINE_OF_NO_UNITS,
    ),
    ("int_reviews_counted", "turns", "row_number() over (", "rank", IN_A_TOTAL_ORDER),
    ("int_reviews_counted", "places", "row_number() over (", "rank", IN_A_TOTAL_ORDER),
    ("stg_raw__order_items", "renamed", "quantity < 0 as is_return", "<=", NO_LINE_OF_NO_UNITS),
]
"""Model, step, line, what takes the place of something in it, and why no row that can be there tells the two apart."""


def why_equivalent(flip: Flip) -> str:
    """Return the reason why a flip says the same, or nothing."""
    for model, step, around, new, reason in EQUIVALENT:
        if (model, step, around, new) == (flip.model, flip.step, flip.around, flip.new.strip()):
            return reason
    return ""
