"""The own part in an event: booking, waiting, holding, cancelling."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from frontend import format as fmt
from frontend import widgets
from frontend.api import ApiError, SessionOver
from frontend.live import countdown, counts

# Under one key the answer may be of an earlier click, to which it never came.
OVER = "That was done earlier, and is over by now. Please try again."
# Places that one may ask for here, whatever an event allows.
MOST = 100


@dataclass
class Mine:
    """What somebody has at an event."""

    booking: dict[str, Any] | None = None
    hold: dict[str, Any] | None = None


def mine(event_id: str) -> Mine:
    """The own booking that isn't cancelled, and the own hold that isn't over."""
    login = st.session_state.get("login")
    if login is None or login.over:
        return Mine()
    api = widgets.api()
    own = api.read(f"/bookings/user/me/event/{event_id}").value
    if own:
        login.settled_at(event_id)
        return Mine(own)
    hold_id = login.holds.get(event_id)
    if not hold_id:
        return Mine()
    try:
        hold = api.read(f"/bookings/holds/{hold_id}").value
    except SessionOver:
        raise
    except ApiError as error:
        if error.status != 404:
            raise
        hold = None
    if hold and hold["status"] in ("held", "expired"):
        login.settled_at(event_id)
        return Mine(None, hold)
    login.forget_hold(event_id)
    return Mine()


def panel(one: dict[str, Any], seen: dict[str, Any], own: Mine) -> None:
    """What one may do here, by how things stand."""
    if own.booking:
        _booked(one, own.booking)
    elif own.hold:
        _held(one, own.hold)
    elif one["status"] == "ended":
        st.info("This event is over.", icon=":material/history:")
    elif one["status"] == "closed":
        st.info("Booking is closed.", icon=":material/lock:")
    elif one["status"] == "not_yet_open":
        opens = fmt.at(one["booking_opens_at"], one["timezone"])
        st.info(f"Booking opens {fmt.plain(opens)}.", icon=":material/schedule:")
    elif not widgets.me():
        if st.button("Log in to book", type="primary", width="stretch", key="book-login"):
            widgets.to_login()
    else:
        _offer(one, seen)


# -- with nothing yet -----------------------------------------------------------------------


def _offer(one: dict[str, Any], seen: dict[str, Any]) -> None:
    most = max(1, min(MOST, seen["capacity"], one["max_per_booking"]))
    places = st.number_input(
        "Places",
        min_value=1,
        max_value=most,
        value=1,
        step=1,
        key=f"places-{one['id']}",
        help=f"Up to {fmt.count(most, 'place')} in one booking.",
    )
    free = seen["available"]
    if places <= free:
        label = f"Book {fmt.count(places, 'place')}"
        if st.button(label, type="primary", width="stretch", key="book"):
            _attempt(one, places, waits=False)
        if st.button(
            "Hold for now",
            width="stretch",
            key="hold",
            help="Sets the places aside for a few minutes while you make up your mind.",
        ):
            _hold(one, places)
        return
    if not one["waitlist"]:
        left = f"Only {free} left" if free else "All places are taken"
        st.caption(f"{left}, and this event has no waitlist.")
        # Some may be given back at any time; and who holds them, somewhere else, is told so.
        if st.button("Try all the same", width="stretch", key="try"):
            _attempt(one, places, waits=False)
        return
    if free:
        st.caption(f"Only {free} left: {fmt.count(places, 'place')} would have to wait.")
    else:
        st.caption(
            "All places are taken. Who waits is served strictly in turn, and told by a message."
        )
    if st.button("Join the waitlist", type="primary", width="stretch", key="wait"):
        _attempt(one, places, waits=True)


def _attempt(one: dict[str, Any], places: int, *, waits: bool) -> None:
    body = {"event_id": one["id"], "quantity": places, "join_waitlist": waits}
    try:
        made = widgets.api().write("POST", "/bookings", body, event_id=one["id"]).value
    except ApiError as error:
        _refused(one, error)
        return
    _tell_what_is(one, made)
    _anew(one["id"])


def _tell_what_is(one: dict[str, Any], made: dict[str, Any]) -> None:
    """An answer alone doesn't show that it is still so; without another look it has to do."""
    try:
        there = mine(one["id"]).booking
    except ApiError:
        there = made
    _tell(there)


def _tell(made: dict[str, Any] | None) -> None:
    """What there is now."""
    if made is None:
        widgets.flash(OVER, ":material/info:")
    elif made["status"] == "confirmed":
        widgets.flash(f"Booked: {fmt.count(made['quantity'], 'place')}.")
    else:
        widgets.flash(
            f"You are number {made.get('waitlist_position')} on the waitlist.",
            ":material/hourglass_top:",
        )


def _refused(one: dict[str, Any], error: ApiError) -> None:
    if error.code == "already_booked":
        # A click too many, or another window was quicker: what is there is shown.
        widgets.flash(error.detail, ":material/info:")
        _anew(one["id"])
    if error.code == "has_hold" and error.figures.get("hold_id"):
        st.session_state["login"].remember_hold(one["id"], error.figures["hold_id"])
        widgets.flash(error.detail, ":material/info:")
        _anew(one["id"])
    widgets.problem(error)
    if error.code in ("sold_out", "sales_closed", "not_yet_open"):
        counts.clear(one["id"])


def _hold(one: dict[str, Any], places: int) -> None:
    body = {"event_id": one["id"], "quantity": places}
    try:
        hold = widgets.api().write("POST", "/bookings/holds", body, event_id=one["id"]).value
    except ApiError as error:
        _refused(one, error)
        return
    st.session_state["login"].remember_hold(one["id"], hold["id"])
    # Where that cannot be read, the page itself will say so.
    with suppress(ApiError):
        if mine(one["id"]) == Mine():
            _tell(None)
    _anew(one["id"])


def _anew(event_id: str) -> None:
    """Draws the page again, with counts that are new."""
    counts.clear(event_id)
    st.rerun()


# -- with a hold ----------------------------------------------------------------------------


def _held(one: dict[str, Any], hold: dict[str, Any]) -> None:
    st.subheader(f"You hold {fmt.count(hold['quantity'], 'place')}", anchor=False)
    countdown(hold)
    if st.button("Book them", type="primary", width="stretch", key="confirm-hold"):
        _confirm(one, hold)
    with st.container(horizontal=True):
        if hold["status"] == "held" and st.button(
            "More time", icon=":material/more_time:", key="extend-hold"
        ):
            _extend(one, hold)
        if st.button("Give them back", icon=":material/undo:", key="release-hold"):
            _release(one, hold)


def _confirm(one: dict[str, Any], hold: dict[str, Any]) -> None:
    try:
        made = widgets.api().write("POST", "/bookings", {"hold_id": hold["id"]}).value
    except ApiError as error:
        if error.code == "hold_expired":
            st.session_state["login"].forget_hold(one["id"])
            widgets.flash(error.detail, ":material/timer_off:")
            _anew(one["id"])
        widgets.problem(error)
        return
    _over(one["id"])
    _tell_what_is(one, made)
    _anew(one["id"])


def _over(event_id: str) -> None:
    """A hold became a booking, or was given back: nothing from before is open any more."""
    login = st.session_state["login"]
    login.forget_hold(event_id)
    login.settled_at(event_id)


def _extend(one: dict[str, Any], hold: dict[str, Any]) -> None:
    # Each click is an intention of its own: the deadline it starts from tells them apart.
    try:
        widgets.api().write(
            "PATCH",
            f"/bookings/holds/{hold['id']}",
            {"extend": True},
            intent=f"extend {hold['expires_at']}",
        )
    except ApiError as error:
        widgets.problem(error)
        return
    _anew(one["id"])


def _release(one: dict[str, Any], hold: dict[str, Any]) -> None:
    def act() -> None:
        try:
            widgets.api().write("DELETE", f"/bookings/holds/{hold['id']}")
        except ApiError as error:
            if error.status != 404:
                raise
        _over(one["id"])
        counts.clear(one["id"])
        widgets.flash("You gave the places back.", ":material/undo:")

    places = fmt.count(hold["quantity"], "place")
    widgets.ask(
        f"Give back {places}?",
        f"You give up {places} at “{one['title']}”. Whoever waits or comes next gets them.",
        "Give them back",
        act,
        no="Keep them",
    )


# -- with a booking -------------------------------------------------------------------------


def _booked(one: dict[str, Any], own: dict[str, Any]) -> None:
    places = fmt.count(own["quantity"], "place")
    if own["status"] == "confirmed":
        st.success(f"You have {places}.", icon=":material/check_circle:")
        ticket(own)
    else:
        st.info(f"You are waiting for {places}.", icon=":material/hourglass_top:")
    if one["status"] != "ended":
        cancel_button(own, one["title"])


def ticket(own: dict[str, Any]) -> None:
    """The code to show at the door."""
    if own.get("ticket_code"):
        st.caption("Your ticket")
        st.code(own["ticket_code"], language=None)


def cancel_button(own: dict[str, Any], name: str) -> None:
    """Cancels, after a question."""
    waiting = own["status"] == "waitlisted"
    label = "Leave the waitlist" if waiting else "Cancel the booking"
    places = fmt.count(own["quantity"], "place")
    if waiting:
        sentence = f"You lose your place in the queue for “{name}”."
    else:
        sentence = f"You give up {places} at “{name}”. Whoever waits gets them at once."

    def act() -> None:
        widgets.api().write("DELETE", f"/bookings/{own['id']}")
        st.session_state["login"].settled_at(own["event_id"])
        counts.clear(own["event_id"])
        widgets.flash("You left the waitlist." if waiting else "The booking is cancelled.")

    if st.button(label, icon=":material/close:", key=f"cancel-{own['id']}"):
        widgets.ask(f"{label}?", sentence, label, act)
