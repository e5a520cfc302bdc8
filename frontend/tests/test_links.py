"""Links to an event, before anything is drawn."""

from __future__ import annotations

import pytest
import streamlit as st

from frontend import links


def asks(path: str, query: str = "", method: str = "GET", kind: str = "http") -> str | None:
    """Where a request is sent on to."""
    return links.leads_to(
        {"type": kind, "method": method, "path": path, "query_string": query.encode()}
    )


def test_a_link_leads_to_the_page_of_its_event():
    assert asks("/", "event=17") == "/event?event=17"
    assert asks("/", "from=mail&event=17", "HEAD") == "/event?event=17"


@pytest.mark.parametrize(
    ("path", "query", "method", "kind"),
    [
        ("/", "", "GET", "http"),
        ("/", "event=", "GET", "http"),
        ("/", "other=17", "GET", "http"),
        ("/", "event=17", "POST", "http"),
        # The page that it leads to, and one that has an event too.
        ("/event", "event=17", "GET", "http"),
        ("/manage", "event=17", "GET", "http"),
        ("/_stcore/stream", "event=17", "GET", "websocket"),
    ],
)
def test_everything_else_goes_where_it_is_going(path, query, method, kind):
    assert asks(path, query, method, kind) is None


def test_pages_below_a_path_stay_there(monkeypatch):
    monkeypatch.setattr(st, "get_option", {"server.baseUrlPath": "/tickets/"}.get)
    assert (
        asks("/tickets/", "event=17") == asks("/tickets", "event=17") == "/tickets/event?event=17"
    )
    assert asks("/", "event=17") is None


def test_no_id_leads_away_from_the_pages():
    for odd in ("//evil.example", "%0d%0aset-cookie:%20a=b", "x%26event%3Dy%23"):
        to = asks("/", f"event={odd}")
        assert to.startswith("/event?event=")
        assert not set(to.removeprefix("/event?event=")) & set("\r\n/&#: ")
