"""The own bookings: coming, past, cancelled."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend import format as fmt
from frontend import widgets
from frontend.api import CLOCK
from frontend.views import booking

# Bookings of one page of the API, and the most pages that are read.
PAGE = 100
PAGES = 5


def page() -> None:
    """Three lists."""
    widgets.title("My bookings")
    if not widgets.need_login("see your bookings"):
        return
    own = widgets.api().pages("/users/me/bookings", most=PAGES, limit=PAGE)
    coming, past, cancelled = sorted_out(own.items, CLOCK.now())
    names = [f"Coming ({len(coming)})", f"Past ({len(past)})", f"Cancelled ({len(cancelled)})"]
    one, two, three = st.tabs(names)
    with one:
        _list(coming, "Nothing planned", "What you book or wait for shows up here.", acts=True)
    with two:
        _list(past, "Nothing yet", "Events that you have been to will be here.")
    with three:
        _list(cancelled, "Nothing cancelled", "Neither by you nor by an organizer.")
    if own.cursor:
        st.caption(f"These are the newest {len(own.items)}; older ones are not shown.")


def sorted_out(
    own: list[dict[str, Any]], now: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Coming ones by their start, past ones the other way round, cancelled ones as they are."""
    coming, past, cancelled = [], [], []
    for one in own:
        event = one.get("event")
        if one["status"] == "cancelled":
            cancelled.append(one)
        elif event and fmt.moment(event["end_time"]).timestamp() < now:
            past.append(one)
        else:
            coming.append(one)

    def start(one: dict[str, Any]) -> str:
        return (one.get("event") or {}).get("start_time") or ""

    return sorted(coming, key=start), sorted(past, key=start, reverse=True), cancelled


def _list(own: list[dict[str, Any]], head: str, sentence: str, *, acts: bool = False) -> None:
    if not own:
        widgets.empty(head, sentence)
        if acts:
            with st.container(horizontal_alignment="center"):
                widgets.link("events", "Find an event", icon=":material/search:")
        return
    with st.grid(min_column_width=300):
        for one in own:
            _card(one, acts=acts)


def _card(one: dict[str, Any], *, acts: bool) -> None:
    event = one.get("event")
    name = event["title"] if event else "Event"
    with st.container(border=True, height="stretch", gap="xsmall"):
        if event and one["status"] != "cancelled":
            widgets.event_link(event["id"], name)
        else:
            widgets.title(name, small=True)
        if event:
            widgets.facts({"When": fmt.span(event), "Where": event["location"]})
        else:
            st.caption("What the event is cannot be shown right now.")
        with st.container(horizontal=True, vertical_alignment="center"):
            widgets.badge(one["status"])
            st.caption(fmt.count(one["quantity"], "place"), width="content")
            if one["status"] == "waitlisted":
                st.caption(f"number {one.get('waitlist_position')} in the queue", width="content")
        if acts:
            booking.ticket(one)
            booking.cancel_button(one, name)
