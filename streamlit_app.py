"""EventFlow's pages. Start them with `streamlit run streamlit_app.py`.

`API_URL` says where EventFlow is (http://localhost:8080 unless it is set).
"""

import streamlit as st

from frontend.keep import routes

# An app with one route of its own beside the pages: a page cannot set a cookie, an answer can.
app = st.App("frontend/main.py", routes=routes())
