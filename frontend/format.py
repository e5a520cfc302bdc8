"""Times, money and states in words, and what people wrote made harmless."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Every ASCII punctuation mark may mean something in Markdown, and each may be escaped.
_MARKS = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit reads `:name:` and `:red[...]` also out of escaped text; this invisible character
# behind the colon keeps it from doing so.
_WORD_JOINER = "\u2060"

_STATES = {
    "open": ("Open", "green"),
    "sold_out": ("Sold out", "orange"),
    "not_yet_open": ("Opens later", "blue"),
    "closed": ("Closed", "gray"),
    "ended": ("Over", "gray"),
    "confirmed": ("Confirmed", "green"),
    "waitlisted": ("Waiting", "orange"),
    "cancelled": ("Cancelled", "gray"),
    "queued": ("On its way", "blue"),
    "sent": ("Sent", "green"),
    "failed": ("Failed", "red"),
    "suppressed": ("Not sent", "gray"),
}


def plain(text: object) -> str:
    """`text` for a place where Streamlit reads Markdown: it shows as it was written."""
    escaped = _MARKS.sub(r"\\\1", str(text).replace("\r", ""))
    escaped = escaped.replace(r"\:", rf"\:{_WORD_JOINER}")
    return " ".join(escaped.split())


def safe_html(text: object) -> str:
    """`text` for a place where HTML is read, with its line breaks."""
    return html.escape(str(text), quote=True).replace("\n", "<br>")


def zone(name: str | None) -> ZoneInfo:
    """The time zone of that name; UTC for none, and for one that this system doesn't know."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(text: str) -> datetime:
    """A time of the API."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _day(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %Y}"


def at(text: str, zone_name: str | None) -> str:
    """A time in a zone, which is named."""
    there = zone(zone_name)
    local = moment(text).astimezone(there)
    return f"{_day(local)}, {local:%H:%M} ({there.key})"


def span(event: dict[str, Any]) -> str:
    """From when to when, in the event's own zone, which is named."""
    there = zone(event.get("timezone"))
    start = moment(event["start_time"]).astimezone(there)
    end = moment(event["end_time"]).astimezone(there)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{_day(end)}, {end:%H:%M}"
    return f"{_day(start)}, {start:%H:%M} – {until} ({there.key})"


def money(price: float | int | None) -> str:
    """A price; there is no currency."""
    if not price:
        return "Free"
    return f"{price:,.2f}".replace(",", "\u202f")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 place`, `2 places`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", "\u202f")


def left(seconds: float) -> str:
    """A countdown: `9:07`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def state(status: str) -> tuple[str, str]:
    """A status in a word, and the colour of its badge."""
    return _STATES.get(status, (status.replace("_", " ").capitalize(), "gray"))


def kind(name: str) -> str:
    """`BookingConfirmed` as `Booking confirmed`."""
    return " ".join(re.findall(r"[A-Z][a-z]*|[a-z]+", name)).capitalize()


def person(user_id: str) -> str:
    """Somebody whose name isn't ours to know: the end of the id, where ids differ."""
    return f"…{user_id[-8:]}"
