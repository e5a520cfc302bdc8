"""Forms under way: what was typed outlives a refusal, and logging in again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend import widgets

# The page of each form; who leaves it gives the form up.
_PAGES = {"create": "create", "edit": "manage", "message": "manage"}
# One passes here on the way back to a form.
_ON_THE_WAY = ("login", "register")


def under_way(name: str, of: str = "", **fresh: Any) -> dict[str, Any]:
    """The form of that name, about `of`, of whoever is logged in.

    It begins with `fresh`; with it too when the last one was somebody else's, or about
    something else. `typed` is what it said when it was last sent, `error` what was wrong then.
    """
    mine = (widgets.me()["id"], of)
    filled = st.session_state.get(f"form-{name}")
    if filled is None or filled["of"] != mine:
        filled = {"of": mine, "typed": None, "error": None} | fresh
        st.session_state[f"form-{name}"] = filled
    return filled


def done(name: str) -> None:
    """The form is sent, or given up: the next one begins anew."""
    st.session_state.pop(f"form-{name}", None)


def shown(page: str) -> None:
    """A page is shown: forms of others are given up."""
    if page in _ON_THE_WAY:
        return
    for name, owner in _PAGES.items():
        if owner != page:
            done(name)


def flash_kept() -> None:
    """Said beside the news that one has to log in again."""
    widgets.flash("What you typed is kept: log in, and it is here again.", ":material/info:")
