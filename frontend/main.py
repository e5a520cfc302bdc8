"""The script behind every page: who is there, and which page it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import streamlit as st

# Run as a script, it lies in its package's folder; the package itself is one above.
_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from frontend import forms, keep, widgets  # noqa: E402
from frontend.api import ApiError, SessionOver  # noqa: E402
from frontend.logins import LOGGED_IN  # noqa: E402
from frontend.views import account, bookings, editor, event, events, messages, organize  # noqa: E402

# The menu, for who is logged in and for who is not.
INSIDE = ("events", "bookings", "messages", "organize", "account")
OUTSIDE = ("events", "login", "register")
# Where pages that aren't in it belong.
WITHIN = {"event": "events", "manage": "organize", "create": "organize"}

# What is forgotten when one leaves the page that it belongs to. Forms see to themselves.
_OF_PAGE = {"manage": "manage-lists"}


def who_is_there() -> None:
    """Finds the login of this window: its own, or that of the browser's cookie."""
    state = st.session_state
    if "login" not in state:
        state["login"] = LOGGED_IN.find(st.context.cookies.get(keep.COOKIE))
    login = state["login"]
    if login is not None and login.over:
        state["login"] = None
        state.pop("ticket", None)
        widgets.flash("You are not logged in any more.", ":material/logout:")


def pages(person: dict[str, Any] | None) -> dict[str, st.Page]:
    """All of them."""
    name = person["username"] if person else "Account"
    return {
        "events": st.Page(events.page, title="Events", icon=":material/event:", default=True),
        # A page of its own: Streamlit notes a step for "back" where the page is another.
        "event": st.Page(event.page, title="Event", icon=":material/event:", url_path="event"),
        "bookings": st.Page(
            bookings.page,
            title="My bookings",
            icon=":material/confirmation_number:",
            url_path="bookings",
        ),
        "messages": st.Page(
            messages.page, title="Messages", icon=":material/mail:", url_path="messages"
        ),
        "organize": st.Page(
            organize.page, title="Organize", icon=":material/edit_calendar:", url_path="organize"
        ),
        "manage": st.Page(
            organize.manage_page,
            title="Your event",
            icon=":material/edit_calendar:",
            url_path="manage",
        ),
        "create": st.Page(
            editor.create_page, title="New event", icon=":material/add:", url_path="create"
        ),
        "account": st.Page(
            account.profile_page, title=name, icon=":material/person:", url_path="account"
        ),
        "login": st.Page(
            account.login_page, title="Log in", icon=":material/login:", url_path="login"
        ),
        "register": st.Page(
            account.register_page,
            title="Create an account",
            icon=":material/person_add:",
            url_path="register",
        ),
    }


def ticket_sent() -> None:
    """The browser has its cookie."""
    st.session_state.pop("ticket", None)


def main() -> None:
    """One run."""
    st.set_page_config(page_title="EventFlow", page_icon="🎟️", layout="wide")
    who_is_there()
    person = widgets.me()
    known = pages(person)
    st.session_state["pages"] = known
    page = st.navigation(list(known.values()), position="hidden")
    name = next(name for name, one in known.items() if one == page)
    st.session_state["page"] = name
    forms.shown(name)
    for owner, kept in _OF_PAGE.items():
        if owner != name:
            st.session_state.pop(kept, None)
    widgets.style()
    widgets.navigation(INSIDE if person else OUTSIDE, WITHIN.get(name, name))
    widgets.show_flashes()
    try:
        page.run()
    except SessionOver as over:
        st.session_state["login"] = None
        widgets.flash(over.detail, ":material/logout:")
        widgets.to_login()
    except ApiError as error:
        widgets.problem(error)
        if st.button("Try again", key="try-again"):
            st.rerun()
    # At the end: it takes no place above what one came for.
    if ticket := st.session_state.get("ticket"):
        keep.send(ticket, ticket_sent)


main()
