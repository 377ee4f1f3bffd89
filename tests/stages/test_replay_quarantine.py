"""What lay in quarantine lands once it is good: by itself, by a changed setting, or mended by somebody."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from ml.errors import DataError
from ml.params import Context, Counts, RunParams
from ml.settings import Settings, SourceSettings
from ml.stages import load_raw, replay_quarantine
from tests.stages.landing import AS_OF, Load, fetch

PRODUCTS = "product_id,title\np1,One\n"
ORDERS = "order_id,customer_id,ordered_at\no1,ann,2017-11-01T10:00:00Z\n"
ITEMS = "order_id,line_number,product_id,quantity,unit_price_cents,note\n"
GOOD = "o1,1,p1,1,100,\n"
ORPHANS = "o1,2,p9,3,100,kept\no9,1,p1,1,100,\n"
LINES = "select order_id, line_number, product_id, quantity from raw.order_items order by 1, 2"
REPLAYED = (
    "select reason, outcome, is_mended from ops.quarantine join ops.replays using (quarantine_id)"
    " order by quarantine_id"
)
pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def load(settings: Settings, tmp_path: Path) -> Load:
    """Load files given by table and content."""

    def load(wanted: dict[str, object] | None = None, **files: str) -> Counts:
        for old in tmp_path.glob("*.csv"):
            old.unlink()
        for table, content in files.items():
            (tmp_path / f"{table}.csv").write_text(content)
        return load_raw.run(changed(settings, tmp_path, wanted), Context(AS_OF, "test", RunParams(source="folder")))

    return load


@pytest.fixture
def replay(settings: Settings, tmp_path: Path) -> Load:
    """Replay the quarantine, with a file of mended records where its content is given."""

    def replay(mended: str | None = None, wanted: dict[str, object] | None = None) -> Counts:
        file = tmp_path / "mended.txt"
        if mended is not None:
            file.write_text(mended)
        context = Context(AS_OF, "test", RunParams(), mended=file if mended is not None else None)
        return replay_quarantine.run(changed(settings, tmp_path, wanted), context)

    return replay


def changed(settings: Settings, folder: Path, wanted: dict[str, object] | None) -> Settings:
    source = SourceSettings(folder=folder, quarantine_limit_share=1.0, **(wanted or {}))  # type: ignore[arg-type]
    return settings.model_copy(update={"source": source})


def test_an_orphan_lands_with_the_load_that_brings_its_parent(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    load(products=PRODUCTS, orders=ORDERS, order_items=ITEMS + GOOD + ORPHANS)
    assert fetch(owner, LINES) == [("o1", 1, "p1", 1)]
    ((raw,),) = fetch(owner, "select raw_record from ops.quarantine where reason = 'orphan_product'")
    assert '"note":"kept"' in str(raw), "a record is kept as it came, not as it was read"
    counts = load(products=PRODUCTS + "p9,Nine\n")
    assert counts["rows_replayed"] == 1
    assert fetch(owner, LINES) == [("o1", 1, "p1", 1), ("o1", 2, "p9", 3)]
    assert fetch(owner, REPLAYED) == [("orphan_product", "accepted", False)]
    assert fetch(owner, "select count(*) from ops.quarantine") == [(2,)], "the quarantine is only added to"
    assert "rows_replayed" not in load(products=PRODUCTS + "p9,Nine\n")
    assert replay() == {"rows_replayed": 0, "rows_waiting": 1}
    assert len(fetch(owner, LINES)) == 2, "a record lands once"


def test_every_row_names_the_delivery_that_brought_it_and_counts_add_up(
    load: Load, owner: psycopg2.extensions.connection
) -> None:
    load(products=PRODUCTS, orders=ORDERS, order_items=ITEMS + GOOD + ORPHANS)
    load(products=PRODUCTS + "p9,Nine\n", orders=ORDERS + "o9,bob,2017-11-02T10:00:00Z\n")
    wrong = fetch(
        owner,
        "select m.load_id from ops.load_manifest as m left join raw.order_items as i using (load_id)"
        " where m.table_name = 'order_items' and status = 'accepted' group by m.load_id"
        " having count(i.order_id) <> m.rows_accepted",
    )
    assert wrong == [] and len(fetch(owner, LINES)) == 3
    ((deliveries, replays),) = fetch(
        owner,
        "select sum(rows_in) filter (where file_name <> 'quarantine'),"
        " sum(rows_in) filter (where file_name = 'quarantine')"
        " from ops.load_manifest where table_name = 'order_items' and status = 'accepted'",
    )
    assert (deliveries, replays) == (3, 2)


def test_an_orphan_that_was_delivered_twice_lands_once(load: Load, owner: psycopg2.extensions.connection) -> None:
    load(products=PRODUCTS, orders=ORDERS, order_items=ITEMS + GOOD + ORPHANS)
    load(order_items=ITEMS + ORPHANS + "o1,3,p1,1,100,\n")
    load(products=PRODUCTS + "p9,Nine\n")
    load(products=PRODUCTS + "p9,Nine\np8,Eight\n")
    assert fetch(owner, REPLAYED) == [("orphan_product", "accepted", False), ("orphan_product", "duplicate", False)]
    assert len(fetch(owner, LINES)) == 3


def test_four_replays_at_once_land_a_record_once(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    orders = "".join(f"o{number},2017-11-01 10:00:00\n" for number in range(40))
    load({"time_zone": "required"}, orders="order_id,ordered_at\n" + orders)
    with ThreadPoolExecutor(4) as pool:
        counts = [one.result() for one in [pool.submit(replay) for _ in range(4)]]
    assert sum(int(one["rows_replayed"]) for one in counts) == 40 == len(fetch(owner, REPLAYED))
    assert fetch(owner, "select count(*) from raw.orders") == [(40,)]


def test_what_a_changed_setting_allows_lands_by_the_command(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    strict = {"time_zone": "required"}
    load(strict, orders="order_id,ordered_at\no5,2017-11-01 10:00:00\n")
    assert replay(wanted=strict) == {"rows_replayed": 0, "rows_waiting": 1}
    assert replay() == {"rows_replayed": 1, "rows_waiting": 0}
    assert fetch(owner, "select order_id from raw.orders") == [("o5",)]


def test_a_mended_record_lands_and_says_so(load: Load, replay: Load, owner: psycopg2.extensions.connection) -> None:
    bad = "o1,2,p1,0,100,\no1,3,p1,2\no1,4,p1,1.5,100,\n"
    load(products=PRODUCTS, orders=ORDERS, order_items=ITEMS + GOOD + bad)
    ids = dict(fetch(owner, "select reason, quarantine_id from ops.quarantine"))
    mended = f"quantity,quantity_note,quarantine_id\n2,a,{ids['quantity_range']}\n1.5,b,{ids['integer_format']}\n"
    assert replay(mended) == {"rows_replayed": 1, "rows_waiting": 2}
    whole = (
        f"quarantine_id,order_id,line_number,product_id,quantity,unit_price_cents\n{ids['field_count']},o1,3,p1,2,100\n"
    )
    assert replay(whole) == {"rows_replayed": 1, "rows_waiting": 1}
    assert fetch(owner, LINES) == [("o1", 1, "p1", 1), ("o1", 2, "p1", 2), ("o1", 3, "p1", 2)]
    assert {(reason, mended) for reason, _, mended in fetch(owner, REPLAYED)} == {
        ("quantity_range", True),
        ("field_count", True),
    }
    with pytest.raises(DataError, match="landed already"):
        replay(whole)


def test_a_key_with_a_nul_stays_aside_until_somebody_mends_it(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    load(customers="customer_id,segment\nb\0,x\nb\u202e1,\\u0000\n")
    ids = dict(fetch(owner, "select reason, quarantine_id from ops.quarantine"))
    assert set(ids) == {"nul_byte", "hidden_character"}
    assert replay() == {"rows_replayed": 0, "rows_waiting": 2}
    assert fetch(owner, "select customer_id from raw.customers") == []
    assert replay(f"quarantine_id,customer_id\n{ids['nul_byte']},b0\n{ids['hidden_character']},b1\n") == {
        "rows_replayed": 2,
        "rows_waiting": 0,
    }
    landed = fetch(owner, "select customer_id, segment from raw.customers order by 1")
    assert landed == [("b0", "x"), ("b1", r"\u0000")], "the six letters are no NUL"


def test_what_was_set_aside_for_its_currency_waits_until_somebody_names_it(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    items = "order_id,line_number,product_id,quantity,unit_price_cents,currency\n"
    lines = "o1,1,p1,1,100,EUR\no1,2,p1,1,100,\no1,3,p1,1,100,\u20ac\no1,4,p9,1,100,EUR\n"
    load(products=PRODUCTS, orders=ORDERS, order_items=items + lines)
    ids = dict(fetch(owner, "select reason, quarantine_id from ops.quarantine"))
    assert set(ids) == {"missing_currency", "unknown_currency", "orphan_product"}
    assert load(products=PRODUCTS + "p9,Nine\n")["rows_replayed"] == 1, "what names the shop's currency lands"
    assert replay() == {"rows_replayed": 0, "rows_waiting": 2}
    with pytest.raises(DataError, match="mixed_currency: order_items has amounts in EUR and USD"):
        replay(f"quarantine_id,currency\n{ids['missing_currency']},USD\n")
    mended = f"quarantine_id,currency\n{ids['missing_currency']},EUR\n{ids['unknown_currency']},eur\n"
    assert replay(mended) == {"rows_replayed": 2, "rows_waiting": 0}
    assert len(fetch(owner, LINES)) == 4


def test_what_another_file_holds_in_another_currency_waits(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    orphan = "review_id,product_id,rating,reviewed_at,currency\nr1,p9,5,2017-11-01,"
    # Nothing of the first file is good, so it does not say what the shop's currency is.
    load(reviews=orphan.replace(",5,", ",6,") + "USD\n")
    load(products="product_id,currency\np9,EUR\n")
    (quarantine_id,) = fetch(owner, "select quarantine_id from ops.quarantine")[0]
    rating = f"quarantine_id,rating\n{quarantine_id},5\n"
    assert replay(rating) == {"rows_replayed": 0, "rows_waiting": 1}
    assert replay(rating.replace("rating", "rating,currency").replace(",5", ",5,EUR"))["rows_replayed"] == 1


def test_what_came_in_time_does_not_grow_too_old_by_waiting(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    limit = {"late_limit_days": 7}
    reviews = "review_id,product_id,rating,reviewed_at\n"
    # The first delivery is history, of any age; of the second, r2 is too old.
    load(limit, products=PRODUCTS, reviews=reviews + "r1,p9,5,2017-01-02T10:00:00Z\n")
    load(limit, reviews=reviews + "r2,p1,5,2017-01-02T10:00:00Z\n")
    assert load(limit, products=PRODUCTS + "p9,Nine\n")["rows_replayed"] == 1
    assert fetch(owner, "select review_id from raw.reviews") == [("r1",)]
    assert replay(wanted=limit) == {"rows_replayed": 0, "rows_waiting": 1}
    assert replay() == {"rows_replayed": 1, "rows_waiting": 0}, "another limit lets it in"


def test_an_old_record_never_replaces_a_newer_row(
    load: Load, replay: Load, owner: psycopg2.extensions.connection
) -> None:
    load(products="product_id,title\np1,Old\np1,Other\n")
    load(products="product_id,title\np1,New\n")
    assert replay() == {"rows_replayed": 0, "rows_waiting": 1}
    assert fetch(owner, "select title from raw.products") == [("New",)]


def test_a_replay_cancels_no_order(load: Load, replay: Load, owner: psycopg2.extensions.connection) -> None:
    load(orders=ORDERS)
    load(orders="order_id,customer_id,ordered_at,status\no1,ann,2017-11-05T10:00:00Z,cancelled\n")
    ((number,),) = fetch(owner, "select quarantine_id from ops.quarantine where reason = 'conflicting_duplicate'")
    assert replay(f"quarantine_id,ordered_at\n{number},2017-11-01T10:00:00Z\n") == {
        "rows_replayed": 0,
        "rows_waiting": 1,
    }
    assert fetch(owner, "select status from raw.orders") == [("completed",)]


@pytest.mark.parametrize(
    ("mended", "message"),
    [
        ("product_id\np1\n", "schema_missing:quarantine_id"),
        ("quarantine_id\n7\n7\n", "a number that stands once"),
        ("quarantine_id\nseven\n", "a number that stands once"),
        ("quarantine_id\n123456789\n", "not in quarantine"),
        ("quarantine_id,a\n1\n", "field_count"),
    ],
)
def test_a_file_that_mends_nothing_is_refused(replay: Load, mended: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replay(mended)
