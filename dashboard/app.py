"""The dashboard: started by ``make up``, behind the password of the analyst role; every number is a row of a mart."""

import streamlit as st

from dashboard import earned, health, policies, stock, today
from dashboard.shop import sign_in

PAGES = {
    "today": ("Today's bundles", today.show),
    "earned": ("What they earned", earned.show),
    "policies": ("Policies compared", policies.show),
    "stock": ("Stock commitments", stock.show),
    "health": ("Data health", health.show),
}

st.set_page_config(page_title="Bundles", layout="wide")
if sign_in():
    st.navigation([st.Page(show, title=title, url_path=path) for path, (title, show) in PAGES.items()]).run()
