"""For organizers: the own events, and each of them with its bookings and its waitlist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import altair as alt
import pandas as pd
import streamlit as st

from frontend import format as fmt
from frontend import forms, widgets
from frontend.api import CLOCK, ApiError, SessionOver
from frontend.live import counts
from frontend.views import editor

# Own events of one page, and the most pages that are shown.
PAGE = 100
PAGES = 5
# Bookings of one page, and the most pages that are read: beyond, figures are of the first.
BOOKINGS = 500
BOOKING_PAGES = 20
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
    own = list(
        widgets.api().pages(
            "/events", most=PAGES, limit=PAGE, organizer_id=widgets.me()["id"], sort="-start_time"
        )
    )
    if not own:
        widgets.empty("You organize nothing yet", "Make your first event: “New event”, above.")
        return
    with st.grid(min_column_width=300):
        for one in own:
            with st.container(border=True, height="stretch", gap="xsmall"):
                widgets.title_link("manage", one["title"], one["id"])
                widgets.facts({"When": fmt.span(one), "Where": one["location"]})
                with st.container(horizontal=True, vertical_alignment="center"):
                    widgets.badge(one["status"])
                    st.caption(f"{one['booked']} of {one['capacity']} booked", width="content")
                    if one["waitlisted"]:
                        st.caption(f"{one['waitlisted']} waited for", width="content")


def manage_page() -> None:
    """The own event in the address."""
    if not widgets.need_login("see an event that you organize"):
        return
    event_id = quote(st.query_params.get("event", ""), safe="") or "none"
    widgets.link("organize", "Your events", icon=":material/arrow_back:")
    try:
        answer = widgets.api().read(f"/events/{event_id}")
        bookings = list(
            widgets.api().pages(f"/events/{event_id}/bookings", most=BOOKING_PAGES, limit=BOOKINGS)
        )
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
        _overview(one, bookings)
    with tabs[1]:
        _bookings(one, bookings)
    with tabs[2]:
        _waitlist(one, bookings)
    with tabs[3]:
        _message(one)
    with tabs[4]:
        editor.edit(one, answer.etag)
    with tabs[5]:
        _ending(one)


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


def _overview(one: dict[str, Any], bookings: list[dict[str, Any]]) -> None:
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


def _clock(span: timedelta) -> str:
    """How exact the times below a curve are."""
    if span < timedelta(minutes=10):
        return "%H:%M:%S"
    return "%H:%M" if span < timedelta(days=1) else "%e %b"


def sales(bookings: list[dict[str, Any]], one: dict[str, Any], now: float) -> pd.DataFrame:
    """Places booked so far: from the beginning of booking until now, or until its end."""
    kept = sorted(
        (booked for booked in bookings if booked["status"] == "confirmed"),
        key=lambda booked: booked["updated_at"],
    )
    if not kept:
        return pd.DataFrame(columns=["at", "places"])
    times = [fmt.moment(booked["updated_at"]) for booked in kept]
    begin = min(fmt.moment(one["booking_opens_at"]), times[0])
    end = max(min(datetime.fromtimestamp(now, UTC), fmt.moment(one["end_time"])), times[-1])
    total, rows = 0, [(begin, 0)]
    for at, booked in zip(times, kept, strict=True):
        total += booked["quantity"]
        rows.append((at, total))
    rows.append((end, total))
    return pd.DataFrame(rows, columns=["at", "places"])


def _bookings(one: dict[str, Any], bookings: list[dict[str, Any]]) -> None:
    if not bookings:
        widgets.empty("No bookings yet", "Share the link of the event to get some.")
        return
    there = fmt.zone(one["timezone"])
    st.dataframe(
        pd.DataFrame(
            {
                "Booked": [_local(b["created_at"], there) for b in bookings],
                "Person": [fmt.person(b["user_id"]) for b in bookings],
                "Places": [b["quantity"] for b in bookings],
                "Status": [fmt.state(b["status"])[0] for b in bookings],
            }
        ),
        hide_index=True,
        column_config={"Booked": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
    )
    st.caption(f"Times are in {there.key}. A person is shown by the end of their id.")
    if len(bookings) == BOOKINGS * BOOKING_PAGES:
        st.caption(f"These are the newest {len(bookings)}; older ones are not shown.")


def _local(text: str, there: Any) -> datetime:
    return fmt.moment(text).astimezone(there).replace(tzinfo=None)


def _waitlist(one: dict[str, Any], bookings: list[dict[str, Any]]) -> None:
    waiting = sorted((b for b in bookings if b["status"] == "waitlisted"), key=lambda b: b["seq"])
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


# -- doing ----------------------------------------------------------------------------------


def _message(one: dict[str, Any]) -> None:
    st.caption("A mail to the people of this event; up to ten a day.")
    filled = forms.under_way("message", one["id"])
    error: ApiError | None = filled["error"]
    filled["error"] = None
    errors = error.errors if error else {}
    if error:
        widgets.other_errors(error, ("subject", "message", "to"))
    typed = filled["typed"] or {"subject": "", "message": "", "to": "confirmed"}
    prefix = f"message-{one['id']}"

    def send() -> None:
        state = st.session_state
        filled["typed"] = {
            "subject": state[f"{prefix}-subject"],
            "message": state[f"{prefix}-text"],
            "to": state[f"{prefix}-to"],
        }
        said = {name: words.strip() for name, words in filled["typed"].items()}
        body = {"event_id": one["id"]} | said
        missing = {name: NEEDED for name in ("subject", "message") if not body[name]}
        if missing:
            filled["error"] = editor.local_error(missing)
            return
        try:
            # The same words to the same people are sent once a visit, however often one clicks.
            intent = state.setdefault(f"{prefix}-intent", datetime.now().isoformat())
            sent = widgets.api().write("POST", "/notifications/send", body, intent=intent).value
        except SessionOver:
            forms.flash_kept()
        except ApiError as refused:
            if refused.code == "not_found":
                refused.detail = "Messages are not available here."
            filled["error"] = refused
        else:
            forms.done("message")
            state[f"{prefix}-subject"] = state[f"{prefix}-text"] = ""
            widgets.flash(f"On its way to {fmt.count(sent['recipients'], 'person', 'people')}.")

    with st.form(f"{prefix}-form"):
        people = list(TO)
        at = people.index(typed["to"])
        st.selectbox("To", people, at, format_func=TO.__getitem__, key=f"{prefix}-to")
        st.text_input("Subject", typed["subject"], key=f"{prefix}-subject", max_chars=200)
        widgets.field_error(errors, "subject")
        words = typed["message"]
        st.text_area("Text", words, key=f"{prefix}-text", height=160, max_chars=10_000)
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
