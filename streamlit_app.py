"""EventFlow's pages. Start them with `streamlit run streamlit_app.py`.

`API_URL` says where EventFlow is (http://localhost:8080 unless it is set).
"""

import streamlit as st
from starlette.middleware import Middleware

from frontend.keep import routes
from frontend.links import EventLinks

# An app with one route of its own beside the pages: a page cannot set a cookie, an answer can.
# Nor can a page send a browser on without leaving a step to go back to.
app = st.App("frontend/main.py", routes=routes(), middleware=[Middleware(EventLinks)])
