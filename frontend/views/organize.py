"""For organizers: the own events, and each of them with its bookings and its waitlist."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import altair as alt
import pandas as pd
import streamlit as st

from frontend import format as fmt
from frontend import forms, widgets
from frontend.api import CLOCK, ApiError, Page, SessionOver
from frontend.live import counts
from frontend.views import editor

# Own events of one page, and the most pages that are shown.
PAGE = 100
PAGES = 5
# Bookings of one page, and the most pages that are read: beyond, figures are of the newest.
BOOKINGS = 500
BOOKING_PAGES = 20
# Seconds for which they are kept: one page of Streamlit is drawn anew at every click.
KEPT_S = 5.0
# The colour of the pages.
GREEN = "#0f766e"
NEEDED = "Please fill this in."
TO = {"confirmed": "Who has a place", "waitlisted": "Who waits", "everyone": "Everyone"}


def page() -> None:
    """The own events."""
    if not widgets.need_login("see the events that you organize"):
        return
    with widgets.head("Your events"):
        if st.button("New event", icon=":material/add:", type="primary", key="organize-new"):
            widgets.go("create")
    own = widgets.api().pages(
        "/events", most=PAGES, limit=PAGE, organizer_id=widgets.me()["id"], sort="-start_time"
    )
    if not own.items:
        widgets.empty("You organize nothing yet", "Make your first event: “New event”, above.")
        return
    with st.grid(min_column_width=300):
        for one in own.items:
            with st.container(border=True, height="stretch", gap="xsmall"):
                widgets.title_link("manage", one["title"], one["id"])
                widgets.facts({"When": fmt.span(one), "Where": one["location"]})
                with st.container(horizontal=True, vertical_alignment="center"):
                    widgets.badge(one["status"])
                    st.caption(f"{one['booked']} of {one['capacity']} booked", width="content")
                    if one["waitlisted"]:
                        st.caption(f"{one['waitlisted']} waited for", width="content")
    if own.cursor:
        st.caption(f"These are the latest {len(own.items)}; earlier ones are not shown.")


def manage_page() -> None:
    """The own event in the address."""
    if not widgets.need_login("see an event that you organize"):
        return
    event_id = quote(st.query_params.get("event", ""), safe="") or "none"
    widgets.link("organize", "Your events", icon=":material/arrow_back:")
    try:
        answer = widgets.api().read(f"/events/{event_id}")
        lists = _lists(answer.value)
    except ApiError as error:
        if error.status == 404:
            widgets.empty("There is no such event", "It may have been deleted.")
        elif error.status == 403:
            widgets.empty("This is not your event", "Only its organizer can look in here.")
        else:
            raise
        return
    one = answer.value
    widgets.title(one["title"])
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.badge(one["status"])
        st.caption(fmt.plain(fmt.span(one)), width="content")
        widgets.link("event", "As visitors see it", icon=":material/visibility:", event=event_id)
    tabs = st.tabs(["Overview", "Bookings", "Waitlist", "Message", "Edit", "Close or delete"])
    with tabs[0]:
        _overview(one, lists.bookings)
    with tabs[1]:
        _bookings(one, lists.bookings)
    with tabs[2]:
        _waitlist(one, lists.waiting)
    with tabs[3]:
        _message(one)
    with tabs[4]:
        editor.edit(one, answer.etag)
    with tabs[5]:
        _ending(one)


@dataclass
class _Lists:
    """The bookings of an event, and those of them that wait, when they were read, and for whom."""

    bookings: Page
    waiting: Page
    at: float
    of: tuple[Any, ...]


def _lists(one: dict[str, Any]) -> _Lists:
    """As they were a few seconds ago at most, in this session only.

    Somebody else, and who has changed the event, gets them anew. Who waits is read apart: those
    who come next are the oldest, whom the newest bookings may not reach.
    """
    state, of = st.session_state, (widgets.me()["id"], one["id"], one["version"])
    kept: _Lists | None = state.get("manage-lists")
    if kept and kept.of == of and time.monotonic() - kept.at < KEPT_S:
        return kept

    def read(status: str | None = None) -> Page:
        return widgets.api().pages(
            f"/events/{one['id']}/bookings", most=BOOKING_PAGES, limit=BOOKINGS, status=status
        )

    state["manage-lists"] = _Lists(read(), read("waitlisted"), time.monotonic(), of)
    return state["manage-lists"]


# -- figures --------------------------------------------------------------------------------


@st.fragment(run_every="5s")
def _figures(event_id: str) -> None:
    try:
        seen = counts(event_id)
    except ApiError as error:
        if error.status == 404:
            st.rerun()
        widgets.problem(error)
        return
    with st.grid(4, min_column_width=120):
        st.metric("Booked", f"{seen['booked']} of {seen['capacity']}", border=True)
        st.metric("Held", seen["held"], border=True)
        st.metric("Free", seen["free"], border=True)
        st.metric("Waiting", seen["waitlist_entries"], border=True)


def _overview(one: dict[str, Any], bookings: Page) -> None:
    _figures(one["id"])
    st.subheader("Places booked over time", anchor=False)
    curve = sales(bookings, one, CLOCK.now())
    if curve.empty:
        widgets.empty("Nothing sold yet", "The curve begins with the first booking.")
        return
    there = fmt.zone(one["timezone"])
    # Charts know no zones: the clock of the event's is given to them as it is.
    curve["at"] = [at.astimezone(there).replace(tzinfo=None) for at in curve["at"]]
    span = curve["at"].iloc[-1] - curve["at"].iloc[0]
    ticks = alt.Axis(format=_clock(span), tickCount=6, labelOverlap=True)
    sold = (
        alt.Chart(curve)
        .mark_area(interpolate="step-after", line={"color": GREEN}, color=GREEN, opacity=0.25)
        .encode(
            x=alt.X("at:T", title=f"Time ({there.key})", axis=ticks),
            y=alt.Y("places:Q", title="Places", axis=alt.Axis(tickMinStep=1, format="d")),
            tooltip=[
                alt.Tooltip("at:T", title="Time", format="%e %b %Y, %H:%M"),
                alt.Tooltip("places:Q", title="Places"),
            ],
        )
    )
    full = (
        alt.Chart(pd.DataFrame({"places": [one["capacity"]]}))
        .mark_rule(strokeDash=[4, 4])
        .encode(y="places:Q")
    )
    st.altair_chart(sold + full, height=280)
    st.caption("The dashed line is the capacity. Cancelled bookings are left out.")
    if bookings.cursor:
        st.caption(
            f"The curve begins with the newest {len(bookings.items)} bookings, above the places "
            "of older ones."
        )


def _clock(span: timedelta) -> str:
    """How exact the times below a curve are."""
    if span < timedelta(minutes=10):
        return "%H:%M:%S"
    return "%H:%M" if span < timedelta(days=1) else "%e %b"


def sales(bookings: Page, one: dict[str, Any], now: float) -> pd.DataFrame:
    """Places booked so far: from the beginning of booking until now, or until its end.

    When there are more bookings than these, it begins with the first of them, above the places
    that the event has booked beside.
    """
    kept = sorted(
        (booked for booked in bookings.items if booked["status"] == "confirmed"),
        key=lambda booked: booked["updated_at"],
    )
    if not kept:
        return pd.DataFrame(columns=["at", "places"])
    times = [fmt.moment(booked["updated_at"]) for booked in kept]
    begin, total = times[0], 0
    if bookings.cursor:
        # Never below nothing: the two were read one after the other.
        total = max(0, one["booked"] - sum(booked["quantity"] for booked in kept))
    else:
        begin = min(fmt.moment(one["booking_opens_at"]), begin)
    end = max(min(datetime.fromtimestamp(now, UTC), fmt.moment(one["end_time"])), times[-1])
    rows = [(begin, total)]
    for at, booked in zip(times, kept, strict=True):
        total += booked["quantity"]
        rows.append((at, total))
    rows.append((end, total))
    return pd.DataFrame(rows, columns=["at", "places"])


def _bookings(one: dict[str, Any], bookings: Page) -> None:
    if not bookings.items:
        widgets.empty("No bookings yet", "Share the link of the event to get some.")
        return
    there = fmt.zone(one["timezone"])
    st.dataframe(
        pd.DataFrame(
            {
                "Booked": [_local(b["created_at"], there) for b in bookings.items],
                "Person": [fmt.person(b["user_id"]) for b in bookings.items],
                "Places": [b["quantity"] for b in bookings.items],
                "Status": [fmt.state(b["status"])[0] for b in bookings.items],
            }
        ),
        hide_index=True,
        column_config={"Booked": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
    )
    st.caption(f"Times are in {there.key}. A person is shown by the end of their id.")
    if bookings.cursor:
        st.caption(f"These are the newest {len(bookings.items)}; older ones are not shown.")


def _local(text: str, there: Any) -> datetime:
    return fmt.moment(text).astimezone(there).replace(tzinfo=None)


def _waitlist(one: dict[str, Any], found: Page) -> None:
    waiting = sorted(found.items, key=lambda b: b["seq"])
    if not waiting:
        widgets.empty("Nobody waits", "Who comes when all places are taken waits here, in turn.")
        return
    there = fmt.zone(one["timezone"])
    st.dataframe(
        pd.DataFrame(
            {
                "Turn": [b.get("waitlist_position") for b in waiting],
                "Person": [fmt.person(b["user_id"]) for b in waiting],
                "Places": [b["quantity"] for b in waiting],
                "Since": [_local(b["created_at"], there) for b in waiting],
            }
        ),
        hide_index=True,
        column_config={"Since": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
    )
    st.caption("Served strictly in turn: one who waits for more places holds up those behind.")
    if found.cursor:
        st.caption(
            f"These are the {len(waiting)} who came last; those before them, who come next, are "
            "not shown."
        )


# -- doing ----------------------------------------------------------------------------------


def _message(one: dict[str, Any]) -> None:
    st.caption("A mail to the people of this event; up to ten a day.")
    prefix = f"message-{one['id']}"
    # The same words to the same people are sent once out of one form, however often one clicks.
    # After that comes another form, of other fields: a click that was on its way by then is not
    # taken for one in it.
    filled = forms.under_way("message", one["id"], intent=secrets.token_hex(8))
    form = filled["intent"]
    error: ApiError | None = filled["error"]
    filled["error"] = None
    errors = error.errors if error else {}
    if error:
        widgets.other_errors(error, ("subject", "message", "to"))
    last_to = st.session_state.get(f"{prefix}-to", next(iter(TO)))
    typed = filled["typed"] or {"subject": "", "message": "", "to": last_to}

    def send() -> None:
        state = st.session_state
        filled["typed"] = {
            "subject": state[f"{prefix}-{form}-subject"],
            "message": state[f"{prefix}-{form}-text"],
            "to": state[f"{prefix}-{form}-to"],
        }
        said = {name: words.strip() for name, words in filled["typed"].items()}
        body = {"event_id": one["id"]} | said
        missing = {name: NEEDED for name in ("subject", "message") if not body[name]}
        if missing:
            filled["error"] = editor.local_error(missing)
            return
        try:
            sent = widgets.api().write("POST", "/notifications/send", body, intent=form).value
        except SessionOver:
            forms.flash_kept()
        except ApiError as refused:
            if refused.code == "not_found":
                refused.detail = "Messages are not available here."
            filled["error"] = refused
        else:
            if state.get("form-message") is filled:
                forms.done("message")
            state[f"{prefix}-to"] = body["to"]
            widgets.flash(f"On its way to {fmt.count(sent['recipients'], 'person', 'people')}.")

    with st.form(f"{prefix}-{form}"):
        people = list(TO)
        at = people.index(typed["to"])
        st.selectbox("To", people, at, format_func=TO.__getitem__, key=f"{prefix}-{form}-to")
        st.text_input("Subject", typed["subject"], key=f"{prefix}-{form}-subject", max_chars=200)
        widgets.field_error(errors, "subject")
        words = typed["message"]
        st.text_area("Text", words, key=f"{prefix}-{form}-text", height=160, max_chars=10_000)
        widgets.field_error(errors, "message")
        st.form_submit_button("Send", icon=":material/send:", type="primary", on_click=send)


def _ending(one: dict[str, Any]) -> None:
    closing, deleting = st.columns(2, gap="large")
    with closing:
        st.subheader("Booking", anchor=False)
        if one["is_active"]:
            st.write("Closing stops new bookings. Those that are there stay, and who waits too.")
            if st.button("Close booking", icon=":material/lock:", key="close"):
                widgets.ask(
                    "Close booking?",
                    "Nobody can book until you open it again.",
                    "Close booking",
                    lambda: _switch(one, active=False),
                    no="Leave it open",
                )
        else:
            st.write("Booking is closed.")
            if st.button("Open booking again", icon=":material/lock_open:", key="reopen"):
                _switch(one, active=True)
                st.rerun()
    with deleting:
        st.subheader("Delete", anchor=False)
        st.write("Deleting cancels all bookings and cannot be undone.")
        if st.button("Delete the event", icon=":material/delete:", key="delete"):
            widgets.ask(
                "Delete the event?",
                f"“{one['title']}” goes away for good, and with it "
                f"{fmt.count(one['booked'], 'booked place')}. Everybody is told.",
                "Delete the event",
                lambda: _delete(one),
            )


def _switch(one: dict[str, Any], *, active: bool) -> None:
    # `intent` has the version: opening and closing again later are other intentions.
    widgets.api().write(
        "PATCH",
        f"/events/{one['id']}",
        {"is_active": active},
        intent=f"switch {one['version']}",
    )
    widgets.flash("Booking is open again." if active else "Booking is closed.")


def _delete(one: dict[str, Any]) -> None:
    gone = widgets.api().write("DELETE", f"/events/{one['id']}").value
    cancelled = fmt.count(gone["cancelled_bookings"], "booking")
    widgets.flash(f"The event is deleted, {cancelled} cancelled.", ":material/delete:")
    widgets.go("organize")
