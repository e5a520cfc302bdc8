"""The form of an event: a new one, or one to change."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from frontend import format as fmt
from frontend import forms, widgets
from frontend.api import CLOCK, ApiError, SessionOver

# Fields of the form, in its order, and what is written at them.
LABELS = {
    "title": "Title",
    "description": "Description",
    "location": "Place",
    "start_time": "Start",
    "end_time": "End",
    "timezone": "Time zone",
    "capacity": "Places",
    "price": "Price of a place (0 is free)",
    "booking_opens_at": "Booking opens",
    "booking_closes_at": "Booking closes",
    "max_per_booking": "Most places of one booking",
    "waitlist": "Waitlist",
}
FIELDS = tuple(LABELS)
# Of a long text, so much is shown of what somebody else wrote.
_SHOWN_CHARS = 300
_TIMES = ("start_time", "end_time", "booking_opens_at", "booking_closes_at")
_YES_NO = {True: "Yes", False: "No"}


@st.cache_data(show_spinner=False)
def zones() -> list[str]:
    """All names of zones: cities and countries first, then the rest."""
    names = available_timezones()
    return sorted(names, key=lambda name: ("/" not in name or name.startswith("Etc"), name))


# -- from the form to the API ---------------------------------------------------------------


def draft(
    values: dict[str, Any], known: dict[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The body of a request, and what is wrong that needs no server to be seen.

    `known` are times that the form does not say anew, as the event has them.
    """
    known = known or {}
    errors: dict[str, str] = {}
    body: dict[str, Any] = {}
    for name in ("title", "description", "location"):
        body[name] = (values.get(name) or "").strip()
    for name in ("title", "location"):
        if not body[name]:
            errors[name] = "Please fill this in."
    body["timezone"] = values["timezone"]
    body["capacity"] = values["capacity"]
    body["price"] = round(float(values["price"] or 0), 2)
    for name in _TIMES:
        local = values.get(name)
        if name in known:
            body[name] = known[name]
        elif local is None:
            if name in ("start_time", "end_time"):
                errors[name] = "Please choose a time."
        elif (text := exact(local, values["timezone"])) is None:
            errors[name] = "Clocks go forward then: there is no such time in this zone."
        else:
            body[name] = text
    start, end = body.get("start_time"), body.get("end_time")
    if start and end and fmt.moment(end) <= fmt.moment(start):
        errors["end_time"] = "The end has to be after the start."
    for name in ("max_per_booking", "waitlist"):
        body[name] = values[name]
    return body, errors


def exact(local: datetime, zone_name: str) -> str | None:
    """A time on the clocks of a zone with its offset; nothing for one that clocks skip."""
    there = local.replace(tzinfo=fmt.zone(zone_name))
    utc = there.timestamp()
    back = datetime.fromtimestamp(utc, there.tzinfo)
    if back.replace(tzinfo=None) != local.replace(tzinfo=None):
        return None
    return there.isoformat()


def touched(values: dict[str, Any], base: dict[str, Any]) -> set[str]:
    """What somebody made other than the form of the event `base` began with.

    What they left alone says nothing: the form has neither seconds nor the second of two equal
    hours, and shows an event without a zone in UTC.
    """
    begun = initial(base)
    names = {name for name in FIELDS if values[name] != begun[name]}
    if "timezone" in names:
        # Who corrects the zone means what clocks show when people meet. Sales that are open
        # would close if their beginning moved too.
        names |= {"start_time", "end_time"}
    return names


def changes(
    values: dict[str, Any], base: dict[str, Any], one: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What to send so that the event, now `one`, has what the form says, and what is wrong.

    The form began with `base`, the event as it was then.
    """
    names = touched(values, base)
    known = {name: one[name] for name in _TIMES if name not in names}
    body, errors = draft(values, known)

    def same(name: str, value: Any) -> bool:
        if name in _TIMES:
            return fmt.moment(value) == fmt.moment(one[name])
        return value == one.get(name)

    return {
        name: value for name, value in body.items() if name in names and not same(name, value)
    }, errors


def initial(one: dict[str, Any] | None) -> dict[str, Any]:
    """What the form begins with."""
    if one is None:
        here = fmt.zone(st.context.timezone)
        soon = datetime.fromtimestamp(CLOCK.now(), here) + timedelta(days=7)
        start = soon.replace(hour=19, minute=0, second=0, microsecond=0, tzinfo=None)
        return {
            "title": "",
            "description": "",
            "location": "",
            "timezone": here.key,
            "start_time": start,
            "end_time": start + timedelta(hours=2),
            "capacity": 20,
            "price": 0.0,
            "booking_opens_at": None,
            "booking_closes_at": None,
            "max_per_booking": 10,
            "waitlist": True,
        }
    there = fmt.zone(one["timezone"])
    values = {name: one.get(name) for name in FIELDS}
    for name in _TIMES:
        local = fmt.moment(one[name]).astimezone(there)
        values[name] = local.replace(second=0, microsecond=0, tzinfo=None)
    values["timezone"] = there.key
    values["price"] = float(one["price"])
    return values


# -- the form -------------------------------------------------------------------------------


def form(
    prefix: str,
    one: dict[str, Any] | None,
    typed: dict[str, Any] | None,
    errors: dict[str, str],
    submit: Any,
) -> None:
    """All fields; `submit` is called before the next run, and finds them by `collect`.

    `typed` is what they said before somebody had to log in again.
    """
    start = typed or initial(one)

    def key(name: str) -> str:
        return f"{prefix}-{name}"

    def below(name: str) -> None:
        widgets.field_error(errors, name)

    with st.form(f"{prefix}-form"):
        st.text_input(LABELS["title"], start["title"], key=key("title"), max_chars=200)
        below("title")
        st.text_area(
            LABELS["description"], start["description"], key=key("description"), height=150
        )
        below("description")
        st.text_input(LABELS["location"], start["location"], key=key("location"))
        below("location")
        one_half, other = st.columns(2)
        with one_half:
            st.datetime_input(LABELS["start_time"], start["start_time"], key=key("start_time"))
            below("start_time")
        with other:
            st.datetime_input(LABELS["end_time"], start["end_time"], key=key("end_time"))
            below("end_time")
        names = zones()
        at = names.index(start["timezone"]) if start["timezone"] in names else names.index("UTC")
        told = "All times of this form are there."
        if one:
            told += " Another one moves start and end, and leaves when booking opens and closes."
        st.selectbox(LABELS["timezone"], names, at, key=key("timezone"), help=told)
        below("timezone")
        one_half, other = st.columns(2)
        with one_half:
            st.number_input(
                LABELS["capacity"],
                1,
                1_000_000,
                int(start["capacity"]),
                step=1,
                key=key("capacity"),
            )
            below("capacity")
        with other:
            st.number_input(
                LABELS["price"],
                0.0,
                1e9,
                start["price"],
                step=1.0,
                format="%.2f",
                key=key("price"),
            )
            below("price")
        with st.expander("Booking", expanded=any(name in errors for name in FIELDS[8:])):
            _rules(start, key, below)
        label = "Create the event" if one is None else "Save"
        st.form_submit_button(label, type="primary", on_click=submit)


def _rules(start: dict[str, Any], key: Any, below: Any) -> None:
    one_half, other = st.columns(2)
    with one_half:
        st.datetime_input(
            LABELS["booking_opens_at"],
            start["booking_opens_at"],
            key=key("booking_opens_at"),
            help="At once, unless a time is chosen.",
        )
        below("booking_opens_at")
    with other:
        st.datetime_input(
            LABELS["booking_closes_at"],
            start["booking_closes_at"],
            key=key("booking_closes_at"),
            help="When the event starts, unless a time is chosen.",
        )
        below("booking_closes_at")
    with one_half:
        st.number_input(
            LABELS["max_per_booking"],
            1,
            1_000_000,
            int(start["max_per_booking"]),
            step=1,
            key=key("max_per_booking"),
        )
        below("max_per_booking")
    with other:
        options = list(_YES_NO)
        st.selectbox(
            LABELS["waitlist"],
            options,
            options.index(start["waitlist"]),
            format_func=_YES_NO.__getitem__,
            key=key("waitlist"),
        )
        below("waitlist")


def collect(prefix: str) -> dict[str, Any]:
    """What the form says."""
    return {name: st.session_state[f"{prefix}-{name}"] for name in FIELDS}


# -- a new event ----------------------------------------------------------------------------


def create_page() -> None:
    """A form that makes one event, however often it is sent."""
    if not widgets.need_login("make an event"):
        return
    filled = forms.under_way("create", intent=secrets.token_hex(8), made=None)
    if filled["made"]:
        widgets.flash("The event is there.")
        widgets.open_event(filled["made"])
    error: ApiError | None = filled["error"]
    _, middle, _ = st.columns([1, 4, 1])
    with middle:
        widgets.title("New event")
        if error:
            widgets.other_errors(error, FIELDS)
        form("create", None, filled["typed"], error.errors if error else {}, _create)


def local_error(errors: dict[str, str]) -> ApiError:
    """As if EventFlow had said it."""
    return ApiError(422, "validation_failed", "Please look at the marked fields.", errors=errors)


def _create() -> None:
    filled = st.session_state["form-create"]
    filled["typed"] = collect("create")
    filled["error"] = None
    body, errors = draft(filled["typed"])
    if errors:
        filled["error"] = local_error(errors)
        return
    try:
        made = widgets.api().write("POST", "/events", body, intent=filled["intent"]).value
    except SessionOver:
        forms.flash_kept()
    except ApiError as error:
        filled["error"] = error
    else:
        filled["made"] = made["id"]


# -- a change -------------------------------------------------------------------------------


def edit(one: dict[str, Any], etag: str) -> None:
    """The form of an event that is there. Somebody else's change in between is not undone."""
    filled = forms.under_way("edit", one["id"], base=one)
    base = filled["base"]
    error: ApiError | None = filled["error"]
    filled["error"] = None
    if error:
        widgets.other_errors(error, FIELDS)
    if others := meanwhile(base, one, filled["typed"]):
        _tell(others, one)
    elif error and error.status == 412:
        st.caption("Nothing in this form is other than before. Save again if you still want to.")
    prefix = f"edit-{one['id']}-{base['version']}"

    def submit() -> None:
        filled["typed"] = collect(prefix)
        changed, errors = changes(filled["typed"], base, one)
        if errors:
            filled["error"] = local_error(errors)
            return
        if not changed:
            forms.done("edit")
            widgets.flash("There is nothing to save.", ":material/info:")
            return
        try:
            # What others changed before this run is told beside the form: with its etag only
            # what nobody could see yet is in the way.
            widgets.api().write(
                "PATCH",
                f"/events/{one['id']}",
                changed,
                intent=f"edit {etag}",
                if_match=etag,
            )
        except SessionOver:
            forms.flash_kept()
        except ApiError as refused:
            filled["error"] = refused
        else:
            forms.done("edit")
            widgets.flash("Saved.")

    form(prefix, base, filled["typed"], error.errors if error else {}, submit)


def meanwhile(base: dict[str, Any], one: dict[str, Any], typed: dict[str, Any] | None) -> list[str]:
    """The fields that are other than when the form began, but for what it says itself."""
    now = initial(one)
    return [
        name
        for name in FIELDS
        if one.get(name) != base.get(name) and (typed is None or typed[name] != now[name])
    ]


def _tell(names: list[str], one: dict[str, Any]) -> None:
    """What is in the way of nothing, but has to be known before one saves."""
    with st.container(border=True):
        st.write("The event was changed while you were at this form. It has now:")
        widgets.facts({LABELS[name]: _words(name, one) for name in names})
        st.caption(
            "What you typed is still here. “Save” now saves what you changed, and only that."
        )
        if st.button("Start again from what is saved", icon=":material/refresh:", key="edit-anew"):
            forms.done("edit")
            st.rerun()


def _words(name: str, one: dict[str, Any]) -> str:
    value = one[name]
    if name in _TIMES:
        return fmt.at(value, one["timezone"])
    if name == "price":
        return fmt.money(value)
    if name == "waitlist":
        return _YES_NO[value]
    words = str(value or "–")
    return words if len(words) <= _SHOWN_CHARS else f"{words[:_SHOWN_CHARS]}…"
