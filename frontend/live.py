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
