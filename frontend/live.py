"""What changes while one looks at it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend import format as fmt
from frontend.api import CLOCK, Api

# Seconds for which everybody who looks at an event shares one look at its counts.
SHARED_S = 2
SHARED_EVENTS = 1_000


@st.cache_data(ttl=SHARED_S, max_entries=SHARED_EVENTS, show_spinner=False)
def counts(event_id: str) -> dict[str, Any]:
    """The counts of an event, for everybody alike. Who changes them clears this."""
    return Api().read(f"/events/{event_id}/availability").value


@st.cache_data(ttl=SHARED_S, max_entries=SHARED_EVENTS, show_spinner=False)
def known(event_id: str) -> dict[str, Any]:
    """An event as anybody may see it, for everybody alike."""
    return Api().read(f"/events/{event_id}").value


def as_of_now(one: dict[str, Any]) -> dict[str, Any]:
    """The event by the clock of now; the copy that all share where it is newer than `one`.

    From the same `one`, a status never goes back: pages are drawn anew when it changes, and
    a clock that is set must not make them do it over and over.
    """
    shared = known(one["id"])
    newest = shared if shared["version"] > one["version"] else one
    return newest | {"status": status(newest, CLOCK.now())}


def status(one: dict[str, Any], now: float) -> str:
    """What the status that EventFlow gave an event has become since."""

    def reached(name: str) -> bool:
        return now >= fmt.moment(one[name]).timestamp()

    if reached("end_time"):
        return "ended"
    told = one["status"]
    if told == "not_yet_open" and reached("booking_opens_at"):
        told = "open"
    return "closed" if told in ("open", "sold_out") and reached("booking_closes_at") else told


@st.fragment(run_every="1s")
def countdown(hold: dict[str, Any]) -> None:
    """How long the held places are still set aside."""
    seconds = fmt.moment(hold["expires_at"]).timestamp() - CLOCK.now()
    if seconds <= 0:
        st.html('<div class="ef-big">0:00</div>')
        st.caption("Time is up. The places are yours only as long as nobody else wants them.")
        return
    st.html(f'<div class="ef-big" data-live="countdown">{fmt.left(seconds)}</div>')
    st.caption("left to book the places that you hold")
