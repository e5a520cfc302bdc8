"""All events, with search and filters."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st

from frontend import format as fmt
from frontend import widgets
from frontend.api import Api, ApiError, SessionOver

# Events of one page, and the most pages that are shown below each other.
PAGE = 12
PAGES = 10
# Pages of EventFlow that may come back empty before ours is shown as it is: with `has_seats`
# they can be short.
SHORT_PAGES = 5
# How often the counts are looked at again.
REFRESH = "10s"

_SORTS = {
    "start_time": "Soonest first",
    "-start_time": "Latest first",
    "-created_at": "Newest first",
    "price": "Cheapest first",
    "-price": "Dearest first",
    "title": "By title",
}

# What they are when they don't filter.
_FILTERS: dict[str, Any] = {
    "filter-place": "",
    "filter-from": None,
    "filter-until": None,
    "filter-price": None,
    "filter-seats": False,
    "filter-past": False,
}


def page() -> None:
    """The list. Links to `?event=<id>`, as mails have them, lead to the page of that event."""
    if event_id := st.query_params.get("event"):
        widgets.open_event(event_id)
    _head()
    filters = _filters()
    if st.session_state.get("browse-filters") != filters:
        st.session_state["browse-filters"] = filters
        st.session_state["browse-pages"] = 1
    _results(filters)


def _head() -> None:
    with widgets.head("Events"):
        if widgets.me() and st.button("New event", icon=":material/add:", key="browse-new"):
            widgets.go("create")


def _filters() -> dict[str, Any]:
    """What was asked for, in the API's words."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Search",
            placeholder="Search title, text and place",
            icon=":material/search:",
            key="filter-words",
            label_visibility="collapsed",
            persist_state="session",
        )
        used = sum(bool(st.session_state.get(key)) for key in _FILTERS)
        with st.popover(f"Filters ({used})" if used else "Filters", icon=":material/tune:"):
            location = st.text_input("Place", key="filter-place", persist_state="session")
            first = st.date_input("From", value=None, key="filter-from", persist_state="session")
            last = st.date_input("Until", value=None, key="filter-until", persist_state="session")
            price = st.number_input(
                "Price up to",
                min_value=0.0,
                value=None,
                step=1.0,
                placeholder="any price",
                key="filter-price",
                persist_state="session",
            )
            seats = st.toggle("With free places only", key="filter-seats", persist_state="session")
            past = st.toggle("Past events too", key="filter-past", persist_state="session")
            order = st.selectbox(
                "Order",
                list(_SORTS),
                format_func=_SORTS.__getitem__,
                key="filter-order",
                persist_state="session",
            )
            st.button("Clear all", key="filter-clear", on_click=_clear)
    return {
        "q": words.strip(),
        "location": location.strip(),
        "first": first,
        "last": last,
        "max_price": price,
        "has_seats": "true" if seats else None,
        "past": past,
        "sort": order,
    }


def _clear() -> None:
    for key, value in _FILTERS.items():
        st.session_state[key] = value
    st.session_state["filter-words"] = ""


def _query(filters: dict[str, Any]) -> dict[str, Any]:
    """Days become moments, in the zone of whoever looks."""
    query = dict(filters)
    first, last, past = query.pop("first"), query.pop("last"), query.pop("past")
    here = fmt.zone(st.context.timezone)
    if first:
        query["starts_after"] = _midnight(first, here)
    elif not past:
        query["starts_after"] = datetime.now(UTC).isoformat(timespec="seconds")
    if last:
        query["starts_before"] = _midnight(last + timedelta(days=1), here)
    return query


def _midnight(day: date, here: Any) -> str:
    return datetime.combine(day, time(), here).isoformat()


def found(api: Api, query: dict[str, Any], pages: int) -> tuple[list[dict[str, Any]], bool]:
    """The events of the first `pages` pages, and whether there are more."""
    events: list[dict[str, Any]] = []
    cursor, asked = None, 0
    while len(events) < pages * PAGE and asked < pages + SHORT_PAGES:
        part = api.page("/events", limit=PAGE, cursor=cursor, **query)
        events.extend(part.items)
        cursor, asked = part.cursor, asked + 1
        if cursor is None:
            break
    return events, cursor is not None


@st.fragment(run_every=REFRESH)
def _results(filters: dict[str, Any]) -> None:
    pages = st.session_state.get("browse-pages", 1)
    try:
        events, more = found(widgets.api(), _query(filters), pages)
    except ApiError as error:
        if isinstance(error, SessionOver):
            st.rerun()
        widgets.problem(error)
        return
    if not events:
        _nothing(filters)
        return
    with st.grid(min_column_width=300):
        for one in events:
            card(one)
    if more and pages < PAGES:
        with st.container(horizontal_alignment="center"):
            if st.button("Show more", key="browse-more"):
                st.session_state["browse-pages"] = pages + 1
                st.rerun(scope="fragment")
    elif more:
        st.caption("There are more events. Search or filter to find them.")


def _nothing(filters: dict[str, Any]) -> None:
    asked = any(value for name, value in filters.items() if name not in ("sort", "past"))
    if asked:
        widgets.empty("Nothing found", "Try other words, or fewer filters.")
    elif widgets.me():
        widgets.empty("No events yet", "Make the first one: “New event”, above.")
    else:
        widgets.empty("No events yet", "Log in to make the first one.")


def card(one: dict[str, Any]) -> None:
    """One event in a list."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        widgets.event_link(one["id"], one["title"])
        widgets.facts({"When": fmt.span(one), "Where": one["location"]})
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            widgets.badge(one["status"])
            st.caption(fmt.plain(fmt.money(one["price"])), width="content")
            st.caption(places(one), width="content")


def places(one: dict[str, Any]) -> str:
    """What is left, in a few words."""
    if one["status"] in ("closed", "ended"):
        return ""
    waiting = one.get("waitlisted") or 0
    if one.get("available"):
        return f"{fmt.count(one['available'], 'place')} left"
    return f"{fmt.count(waiting, 'place')} waited for" if waiting else "No places left"
