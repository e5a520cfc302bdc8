"""One event: what it is, what is left of it, and the own part in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import streamlit as st

from frontend import format as fmt
from frontend import widgets
from frontend.api import ApiError, SessionOver
from frontend.keep import base
from frontend.live import as_of_now, counts
from frontend.views import booking

# How often the event, its counts and the own place are looked at again.
REFRESH = "3s"


def page() -> None:
    """The event in the address."""
    event_id = st.query_params.get("event", "")
    widgets.link("events", "All events", icon=":material/arrow_back:")
    try:
        # Nothing at all would be the list of all events.
        one = as_of_now(widgets.api().read(f"/events/{quote(event_id, safe='') or 'none'}").value)
    except ApiError as error:
        if error.status not in (400, 404):
            raise
        widgets.empty(
            "There is no such event", "It may have been cancelled, or the link is not complete."
        )
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _describe(one)
    with right, st.container(border=True):
        _part(one)


def _describe(one: dict[str, Any]) -> None:
    widgets.title(one["title"])
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.badge(one["status"])
        st.badge(fmt.plain(fmt.money(one["price"])), color="gray", icon=":material/sell:")
    zone = one["timezone"]
    facts = {"When": fmt.span(one), "Where": one["location"]}
    if one["status"] == "not_yet_open":
        facts["Booking opens"] = fmt.at(one["booking_opens_at"], zone)
    if one["booking_closes_at"] != one["start_time"] and one["status"] != "ended":
        facts["Booking closes"] = fmt.at(one["booking_closes_at"], zone)
    widgets.facts(facts)
    if one["description"]:
        widgets.text(one["description"])
    with st.container(horizontal=True):
        with st.popover("Share", icon=":material/share:"):
            st.write("Whoever has this link sees the event, logged in or not.")
            st.code(share_link(one["id"]), language=None, wrap_lines=True)
        person = widgets.me()
        its_own = person and (person["id"] == one["organizer_id"] or person["role"] == "admin")
        if its_own and st.button("Manage", icon=":material/edit_calendar:", key="manage"):
            widgets.go("manage", event=one["id"])


def share_link(event_id: str) -> str:
    """The address of an event's page, as the browser would reach it."""
    here = urlsplit(st.context.url or "http://localhost:8501/")
    return urlunsplit((here.scheme, here.netloc, f"{base()}/", urlencode({"event": event_id}), ""))


def _part(one: dict[str, Any]) -> None:
    """Counts, and what one may do; the whole is drawn anew when that changes."""
    own, seen = booking.mine(one["id"]), counts(one["id"])
    _live(one, _Shown(one, seen, own))
    booking.panel(one, seen, own)


class _Shown:
    """What decides which words and which buttons there are."""

    def __init__(self, one: dict[str, Any], seen: dict[str, Any], own: booking.Mine) -> None:
        self.booking = own.booking and (own.booking["id"], own.booking["status"])
        self.key = (
            # Whatever its organizer changes makes another version of it.
            one["version"],
            one["status"],
            seen["available"] > 0,
            self.booking,
            own.hold and (own.hold["id"], own.hold["status"], own.hold["expires_at"]),
        )


@st.fragment(run_every=REFRESH)
def _live(one: dict[str, Any], shown: _Shown) -> None:
    """The counts, the own place in the queue and the own hold, as they are now."""
    try:
        seen, mine = counts(one["id"]), booking.mine(one["id"])
        now = _Shown(as_of_now(one), seen, mine)
    except ApiError as error:
        if error.status == 404 or isinstance(error, SessionOver):
            st.rerun()
        # What is known stays on the page; it is said that it may be old.
        st.caption(f":material/cloud_off: {fmt.plain(error.words())}")
        return
    if now.key != shown.key:
        own = mine.booking
        if own and own["status"] == "confirmed" and now.booking != shown.booking:
            widgets.flash("You have a place!", ":material/celebration:")
        st.rerun()
    total = seen["capacity"]
    taken = min(1.0, (seen["booked"] + seen["held"]) / total) if total else 1.0
    free = seen["available"]
    st.html(
        f'<div><span class="ef-big" data-live="available">{free}</span> '
        f"of {fmt.count(total, 'place')} free</div>"
    )
    st.progress(taken)
    words = [f"{fmt.count(seen['booked'], 'place')} booked"]
    if seen["held"]:
        words.append(f"{seen['held']} held")
    if seen["waitlist_entries"]:
        words.append(f"{seen['waitlist_entries']} waiting")
    st.caption(" · ".join(words))
    if mine.booking and mine.booking["status"] == "waitlisted":
        place = mine.booking.get("waitlist_position")
        st.html(f'<div>Your place in the queue: <span class="ef-big">{place}</span></div>')
