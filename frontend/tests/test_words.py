"""Times, money, escapes, and what a form says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from frontend import format as fmt
from frontend import live
from frontend.api import Page
from frontend.views import bookings, editor, organize

EVENT = {
    "id": "e",
    "title": "Tea",
    "description": "",
    "location": "Bern",
    "capacity": 5,
    "price": 4.5,
    "timezone": "Europe/Zurich",
    "start_time": "2030-05-01T13:00:00.000Z",
    "end_time": "2030-05-01T15:00:00.000Z",
    "booking_opens_at": "2026-11-25T19:16:33.311Z",
    "booking_closes_at": "2030-05-01T13:00:00.000Z",
    "waitlist": True,
    "max_per_booking": 10,
}


def test_an_event_shows_in_its_own_zone_which_is_named():
    assert fmt.span(EVENT) == "Wed 1 May 2030, 15:00 – 17:00 (Europe/Zurich)"
    there = EVENT | {"timezone": "Pacific/Auckland"}
    assert fmt.span(there) == "Thu 2 May 2030, 01:00 – 03:00 (Pacific/Auckland)"
    long = EVENT | {"end_time": "2030-05-03T15:00:00.000Z"}
    assert fmt.span(long) == "Wed 1 May 2030, 15:00 – Fri 3 May 2030, 17:00 (Europe/Zurich)"
    for odd in (None, "", "Nowhere/At_All", "../etc/passwd"):
        assert fmt.span(EVENT | {"timezone": odd}).endswith("13:00 – 15:00 (UTC)")


def test_what_people_wrote_means_nothing():
    assert fmt.plain("**b** <i>") == r"\*\*b\*\* \<i\>"
    assert fmt.plain("a\n# b") == r"a \# b"
    assert ":material" not in fmt.plain(":material/home:")
    assert fmt.safe_html('<a href="x">\n&') == "&lt;a href=&quot;x&quot;&gt;<br>&amp;"


@pytest.mark.parametrize(
    ("price", "words"),
    [(0, "Free"), (None, "Free"), (4.5, "4.50"), (12345.678, "12\u202f345.68")],
)
def test_money(price, words):
    assert fmt.money(price) == words


def test_counts_and_countdowns():
    assert fmt.count(1, "place") == "1 place"
    assert fmt.count(2000, "place") == "2\u202f000 places"
    assert (fmt.left(0.4), fmt.left(59.9), fmt.left(600)) == ("0:00", "0:59", "10:00")
    assert (fmt.left(-3), fmt.left(3725)) == ("0:00", "1:02:05")
    assert fmt.kind("BookingConfirmed") == "Booking confirmed"
    assert fmt.state("something_new") == ("Something new", "gray")


def test_bookings_are_sorted_out_by_time():
    def at(year: int, status: str = "confirmed") -> dict:
        time = f"{year}-01-01T00:00:00.000Z"
        return {"status": status, "event": {"start_time": time, "end_time": time}}

    now = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    nothing_known = {"status": "confirmed", "event": None}
    own = [at(2032), at(2031, "waitlisted"), at(2028), at(2029), at(2031, "cancelled")]
    coming, past, cancelled = bookings.sorted_out([*own, nothing_known], now)
    assert coming == [nothing_known, own[1], own[0]]
    assert past == [own[3], own[2]]
    assert cancelled == [own[4]]


@pytest.mark.parametrize(
    ("told", "in_time"),
    [
        ("not_yet_open", ["not_yet_open", "open", "closed", "ended"]),
        ("open", ["open", "open", "closed", "ended"]),
        ("sold_out", ["sold_out", "sold_out", "closed", "ended"]),
        # Closed by its organizer: no hour opens it.
        ("closed", ["closed", "closed", "closed", "ended"]),
        ("ended", ["ended", "ended", "ended", "ended"]),
    ],
)
def test_a_status_goes_on_with_the_clock(told, in_time):
    one = EVENT | {"status": told}
    hours = [one[name] for name in ("booking_opens_at", "booking_closes_at", "end_time")]
    opens, closes, ends = (fmt.moment(hour).timestamp() for hour in hours)
    assert [live.status(one, at) for at in (opens - 1, opens, closes, ends)] == in_time
    assert live.status(one, ends - 1) == in_time[2]


def filled(**other) -> dict:
    """A form that is right, but for what is given."""
    values = {
        "title": " Tea ",
        "description": "",
        "location": "Bern",
        "timezone": "Europe/Zurich",
        "start_time": datetime(2030, 5, 1, 15),
        "end_time": datetime(2030, 5, 1, 17),
        "capacity": 5,
        "price": 4.5,
        "booking_opens_at": None,
        "booking_closes_at": None,
        "max_per_booking": 10,
        "waitlist": True,
    }
    return values | other


def test_a_form_becomes_a_body_with_exact_times():
    body, errors = editor.draft(filled(waitlist=False, max_per_booking=3))
    assert errors == {}
    assert body == {
        "title": "Tea",
        "description": "",
        "location": "Bern",
        "timezone": "Europe/Zurich",
        "capacity": 5,
        "price": 4.5,
        "start_time": "2030-05-01T15:00:00+02:00",
        "end_time": "2030-05-01T17:00:00+02:00",
        "max_per_booking": 3,
        "waitlist": False,
    }


def test_what_is_wrong_is_seen_before_anything_is_sent():
    _, errors = editor.draft(filled(title=" ", location=None, start_time=None))
    assert set(errors) == {"title", "location", "start_time"}
    _, errors = editor.draft(filled(end_time=datetime(2030, 5, 1, 15)))
    assert set(errors) == {"end_time"}
    # The night when clocks go forward has no half past two.
    _, errors = editor.draft(filled(start_time=datetime(2030, 3, 31, 2, 30)))
    assert set(errors) == {"start_time"}


def sent(one: dict, **other) -> dict:
    """What a form of that event sends, after that was filled in."""
    changed, errors = editor.changes(editor.initial(one) | other, one, one)
    assert errors == {}
    return changed


def test_only_what_was_changed_is_sent():
    assert sent(EVENT) == {}
    assert sent(EVENT, title=" Tea ") == {}
    assert sent(EVENT, capacity=6, waitlist=False) == {"capacity": 6, "waitlist": False}
    assert sent(EVENT, max_per_booking=4) == {"max_per_booking": 4}
    opens = datetime(2030, 4, 1, 9)
    assert sent(EVENT, booking_opens_at=opens) == {"booking_opens_at": "2030-04-01T09:00:00+02:00"}


def test_another_zone_moves_the_event_and_not_its_sales():
    # The clock shows the same, the moment is another.
    assert sent(EVENT, timezone="America/New_York") == {
        "timezone": "America/New_York",
        "start_time": "2030-05-01T15:00:00-04:00",
        "end_time": "2030-05-01T17:00:00-04:00",
    }
    # Unless somebody says when they begin and end: that is on the new clock.
    closes = datetime(2030, 5, 1, 12)
    changed = sent(EVENT, timezone="America/New_York", booking_closes_at=closes)
    assert changed["booking_closes_at"] == "2030-05-01T12:00:00-04:00"
    assert "booking_opens_at" not in changed


def test_what_a_form_cannot_say_stays():
    # Half past two comes twice that night: the event is from the second to the one after it.
    night = EVENT | {
        "start_time": "2027-10-31T00:45:00.000Z",
        "end_time": "2027-10-31T01:30:33.000Z",
        "booking_closes_at": "2027-10-31T00:45:00.000Z",
    }
    assert editor.initial(night)["end_time"] < editor.initial(night)["start_time"]
    assert sent(night) == {}
    assert sent(night, title="Late tea") == {"title": "Late tea"}
    nowhere = EVENT | {"timezone": None}
    assert sent(nowhere) == {}
    assert sent(nowhere, location="Chur") == {"location": "Chur"}
    assert sent(nowhere, timezone="Europe/Zurich")["timezone"] == "Europe/Zurich"


def test_news_is_what_the_form_does_not_say_itself():
    typed = editor.initial(EVENT) | {"title": "Coffee", "price": 5.0}
    one = EVENT | {"title": "Coffee", "price": 6, "start_time": "2030-05-01T14:00:00.000Z"}
    # The title is one's own, of a write whose answer got lost: it is not sent again either.
    assert editor.meanwhile(EVENT, one, typed) == ["start_time", "price"]
    assert editor.changes(typed, EVENT, one) == ({"price": 5.0}, {})
    assert editor.meanwhile(EVENT, EVENT, typed) == []
    assert editor.meanwhile(EVENT, EVENT | {"title": "Coffee"}, None) == ["title"]
    assert editor.meanwhile(EVENT, EVENT | {"waitlist": False}, None) == ["waitlist"]


def test_the_sales_curve_begins_and_ends():
    def booked(at: str, quantity: int, status: str = "confirmed") -> dict:
        return {"updated_at": at, "quantity": quantity, "status": status}

    now = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    waiting = Page([booked("2026-12-01T00:00:00Z", 1, "waitlisted")])
    assert organize.sales(waiting, EVENT, now).empty
    newest = [booked("2026-12-02T00:00:00Z", 2), booked("2026-12-01T00:00:00Z", 1)]
    curve = organize.sales(Page(newest), EVENT, now)
    assert list(curve["places"]) == [0, 1, 3, 3]
    assert [at.isoformat()[:10] for at in curve["at"]] == [
        "2026-11-25",
        "2026-12-01",
        "2026-12-02",
        "2027-01-01",
    ]

    # The newest three of five places begin above the other two.
    cut = organize.sales(Page(newest, "there is more"), EVENT | {"booked": 5}, now)
    assert list(cut["places"]) == [2, 3, 5, 5]
    assert cut["at"][0].isoformat()[:10] == "2026-12-01"
