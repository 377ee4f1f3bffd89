"""The one door of the dashboard to Postgres: as the analyst, reading only."""

import os
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

ANALYST = "bundles_analyst"
STATEMENT_MS = 15_000
"""A picture that takes longer is a defect; it must not hold a connection meanwhile."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - as local/export.py has it
TIMEOUTS = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_MS} -c search_path=marts"


def connect(password: str) -> Engine:
    """Return an engine of the analyst role.

    Raises
    ------
    sqlalchemy.exc.DBAPIError
        When the password is wrong or Postgres does not answer.
    """
    address = URL.create(
        "postgresql+psycopg2",
        username=ANALYST,
        password=password,
        host=os.environ.get("BUNDLES_WAREHOUSE__HOST", "127.0.0.1"),
        port=int(os.environ.get("BUNDLES_WAREHOUSE__PORT", "5432")),
        database=os.environ.get("BUNDLES_WAREHOUSE__DATABASE", "shop"),
    )
    engine = create_engine(address, poolclass=NullPool, connect_args={"options": TIMEOUTS})
    with engine.connect():
        return engine


def sign_in() -> bool:
    """Ask for the analyst's password until Postgres takes it; tell whether this visitor has signed in.

    The dashboard itself knows no password, so who may look is who may query.
    """
    if "engine" in st.session_state:
        return True
    st.title("Bundles")
    with st.form("sign in"):
        password = st.text_input(f"Password of the Postgres role {ANALYST}", type="password")
        if not st.form_submit_button("Sign in"):
            return False
    try:
        st.session_state["engine"] = connect(password)
    except DBAPIError as error:
        is_refusal = "password authentication failed" in str(error.orig)
        st.error("Postgres refused this password." if is_refusal else f"Postgres does not answer: {error.orig}")
        return False
    st.rerun()
    return True


def read(query: str, **values: Any) -> pd.DataFrame:
    """Return the rows of a query on the marts; ``:name`` stands for a value."""
    engine: Engine = st.session_state["engine"]
    with engine.connect() as connection:
        return harmless(pd.read_sql(text(query), connection, params=values))


def harmless(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with an apostrophe before texts that a spreadsheet would run.

    Every table of a page can be saved as CSV by its visitor, and titles are the suppliers' own text.
    """
    texts = rows.select_dtypes(include=["object", "string"]).columns
    return rows.assign(**{name: rows[name].map(_harmless) for name in texts})


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def available(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold a result; what the shop does not deliver is said on the page."""
    reasons = rows["unavailable_reason"].dropna().unique() if "unavailable_reason" in rows else ()
    for reason in reasons:
        st.info(reason)
    return rows[rows["unavailable_reason"].isna()] if len(reasons) else rows
