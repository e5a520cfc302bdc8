"""What EventFlow has told, and what one wants to be told."""

from __future__ import annotations

from typing import Any

import streamlit as st

from frontend import format as fmt
from frontend import widgets
from frontend.api import ApiError, Page, SessionOver

# Messages of one page, and the most pages that are shown below each other.
PAGE = 20
PAGES = 10
# How often new ones are looked for.
REFRESH = "10s"
KINDS = (
    "BookingConfirmed",
    "BookingWaitlisted",
    "BookingPromoted",
    "BookingCancelled",
    "HoldExpired",
    "EventChanged",
    "EventCancelled",
    "EventReminder",
    "OrganizerMessage",
)
_SENTENCES = {
    "BookingConfirmed": "When a booking of mine is confirmed",
    "BookingWaitlisted": "When I get on a waitlist",
    "BookingPromoted": "When I get a place from the waitlist",
    "BookingCancelled": "When a booking of mine is cancelled",
    "HoldExpired": "When places that I held are free again",
    "EventChanged": "When an event of mine is changed",
    "EventCancelled": "When an event of mine is cancelled",
    "EventReminder": "Shortly before an event of mine begins",
    "OrganizerMessage": "When an organizer writes to me",
}


def page() -> None:
    """Messages, and preferences."""
    widgets.title("Messages")
    if not widgets.need_login("see your messages"):
        return
    try:
        wanted = widgets.api().read("/notifications/preferences").value
    except ApiError as error:
        if error.status != 404:
            raise
        widgets.empty("No messages here", "This EventFlow sends no messages.")
        return
    told, preferred = st.tabs(["Messages", "Preferences"])
    with told:
        _messages()
    with preferred:
        _preferences(wanted)


@st.fragment(run_every=REFRESH)
def _messages() -> None:
    try:
        _list()
    except SessionOver:
        st.rerun()
    except ApiError as error:
        widgets.problem(error)


def _list() -> None:
    kind = st.selectbox(
        "Kind",
        [None, *KINDS],
        format_func=lambda name: fmt.kind(name) if name else "All kinds",
        key="message-kind",
        label_visibility="collapsed",
    )
    if st.session_state.get("messages-of") != kind:
        st.session_state["messages-of"] = kind
        st.session_state["messages-pages"] = 1
    pages = st.session_state.setdefault("messages-pages", 1)
    shown: list[dict[str, Any]] = []
    part = Page()
    for _ in range(pages):
        part = widgets.api().page("/notifications", limit=PAGE, kind=kind, cursor=part.cursor)
        shown.extend(part.items)
        if part.cursor is None:
            break
    if not shown:
        widgets.empty("No messages", "What happens to your bookings is told here, and by mail.")
        return
    for one in shown:
        _message(one)
    if part.cursor and pages < PAGES and st.button("Show more", key="messages-more"):
        st.session_state["messages-pages"] = pages + 1
        st.rerun()


def _message(one: dict[str, Any]) -> None:
    with st.container(border=True, gap="xsmall"):
        widgets.title(one["subject"] or fmt.kind(one["kind"]), small=True)
        with st.container(horizontal=True, vertical_alignment="center"):
            widgets.badge(one["status"])
            st.caption(fmt.kind(one["kind"]), width="content")
            zone = st.context.timezone
            st.caption(fmt.plain(fmt.at(one["created_at"], zone)), width="content")
        if one.get("details"):
            st.caption(fmt.plain(one["details"]))
        with st.expander("Read", key=f"read-{one['id']}"):
            widgets.text(one["body"])
        with st.container(horizontal=True, vertical_alignment="center"):
            if one.get("event_id") and one["kind"] != "EventCancelled":
                widgets.link("event", "The event", icon=":material/event:", event=one["event_id"])
            if one["status"] == "failed" and st.button(
                "Send again", icon=":material/refresh:", key=f"resend-{one['id']}"
            ):
                _resend(one)


def _resend(one: dict[str, Any]) -> None:
    try:
        widgets.api().write("POST", f"/notifications/{one['id']}/resend")
    except ApiError as error:
        widgets.problem(error)
        return
    widgets.flash("It is on its way again.", ":material/send:")
    st.rerun()


def _preferences(wanted: dict[str, Any]) -> None:
    error: ApiError | None = st.session_state.pop("preferences-error", None)
    with st.form("preferences-form"):
        st.toggle("Mail to me at all", wanted["email"], key="prefer-email")
        st.divider()
        # In our order; one that is newer than these pages comes last.
        known = {kind: wanted["kinds"][kind] for kind in KINDS if kind in wanted["kinds"]}
        for kind, on in (known | wanted["kinds"]).items():
            st.toggle(_SENTENCES.get(kind, fmt.kind(kind)), on, key=f"prefer-{kind}")
        st.form_submit_button(
            "Save", type="primary", on_click=_save, args=(tuple(wanted["kinds"]),)
        )
    if error:
        widgets.other_errors(error, ())


def _save(kinds: tuple[str, ...]) -> None:
    state = st.session_state
    body = {
        "email": state["prefer-email"],
        "kinds": {kind: state[f"prefer-{kind}"] for kind in kinds},
    }
    try:
        widgets.api().write("PUT", "/notifications/preferences", body)
    except ApiError as error:
        state["preferences-error"] = error
    else:
        widgets.flash("Your preferences are saved.")
