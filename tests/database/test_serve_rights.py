"""Schema ``serve``: open to the analyst by its functions alone, described, and deaf to other search paths."""

import psycopg2
import pytest

from tests.database.test_complete_basket import Connection


@pytest.mark.parametrize(
    "statement",
    [
        "select * from serve.live_stock",
        "select * from serve.scored_complements(1, current_date, '{}', null, 1)",
        "select * from ml.associations",
        "select * from ml.candidates",
        "select * from raw.stock_levels",
        "select * from raw.products",
        "select * from features.ftr_products",
        "set transaction read write; create view serve.mine as select 1 as one",
    ],
)
def test_an_analyst_may_ask_and_see_nothing_else(analyst: Connection, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), analyst.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("role", ["bundles_loader", "bundles_ml", "bundles_publisher"])
def test_no_other_role_may_ask(owner: Connection, role: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "select has_function_privilege(%s, 'serve.complete_basket(text[], integer, integer, text)', 'execute')",
            (role,),
        )
        assert cursor.fetchall() == [(False,)]


def test_what_acts_with_the_owners_rights_has_a_fixed_search_path(owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "select proname, proconfig from pg_proc where pronamespace = 'serve'::regnamespace and prosecdef"
        )
        found = dict(cursor.fetchall())
    assert set(found) == {"complete_basket", "experiment_arm"}
    assert all("search_path=pg_catalog, serve, pg_temp" in settings for settings in found.values())


def test_everything_of_the_schema_that_is_offered_is_described(owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "select c.oid::regclass, a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
            " where c.relnamespace = 'serve'::regnamespace and a.attnum > 0"
            " and col_description(c.oid, a.attnum) is null"
            " union all select p.oid::regclass, null from pg_proc as p where p.pronamespace = 'serve'::regnamespace"
            " and p.prosecdef and obj_description(p.oid) is null"
        )
        assert cursor.fetchall() == []
